/** A checked sheet and the facts of its models → units with every setting resolved. Pure. */
import { outputKindEncodedAs } from '../artifacts/file-names.ts'
import { Faults, formatPath, type SheetWarning } from '../cue-sheet/faults.ts'
import {
  type FileSettings,
  type PictureSettings,
  type PromptSettings,
  SETTING_ROWS,
  type Settings,
} from '../cue-sheet/setting-types.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { createScheduleAccounts } from '../families/schedule.ts'
import type { FilmOptions } from '../films/film-options.ts'
import { parseFrameRate } from '../media/frame-rate.ts'
import {
  checkSequenceLength,
  checkShapes,
  checkSize,
  checkSyntax,
  noteUse,
  warnOfRemains,
} from './check-settings.ts'
import { createFamilySettings, type FamilySettings, warnOfGuidance } from './family-settings.ts'
import { builtInLength } from './fixed-shapes.ts'
import { isGuided } from './guided.ts'
import type { ModelFacts } from './model-facts.ts'
import { resolvePreviews } from './previews.ts'
import { createSettingUse } from './setting-use.ts'
import { readTrajectory } from './trajectory.ts'
import type { Unit } from './unit.ts'
import { report, type VariantContext } from './variant-context.ts'
import { type ClipLengths, planVideo } from './video.ts'

export interface ExpandedPlan {
  /** In the order of the sheet: cues, then their variants. */
  readonly units: readonly Unit[]
  readonly warnings: readonly SheetWarning[]
}

/**
 * @param facts by model id; every model of the sheet must be there
 * @param clips how many pictures each video that the sheet names has
 * @throws PregenErrors with every fault that only the models' facts show, each with file, line and column
 */
export function expandUnits(
  sheet: CueSheet,
  facts: Readonly<Record<string, ModelFacts>>,
  clips: ClipLengths = new Map(),
): ExpandedPlan {
  const faults = new Faults()
  const accountFor = createScheduleAccounts()
  const familySettings = createFamilySettings()
  const use = createSettingUse()
  const reported = new Set<string>()
  const forVideos = previewsForVideos(sheet, facts)
  const units = sheet.cues.flatMap((cue) =>
    cue.variants.flatMap((variant) => {
      const { model } = variant.settings
      const modelFacts = model !== undefined && Object.hasOwn(facts, model) ? facts[model] : undefined
      if (model === undefined || modelFacts === undefined) {
        throw new Error(`no facts were given for the model "${model}" of ${cue.id}/${variant.id}`)
      }
      const plan = { sheet, faults, accountFor, use, reported, forVideos }
      const context = { ...plan, cue, variant, facts: modelFacts, model }
      return [expandVariant(context, familySettings, clips)]
    }),
  )
  familySettings.finish()
  faults.throwIfAny()
  use.warn(sheet, faults)
  return { units, warnings: [...sheet.warnings, ...faults.warnings] }
}

function previewsForVideos(
  sheet: CueSheet,
  facts: Readonly<Record<string, ModelFacts>>,
): ReadonlySet<string> {
  const places = new Set<string>()
  for (const { variants } of sheet.cues) {
    for (const { settings, origins } of variants) {
      const isVideo = settings.model !== undefined && facts[settings.model]?.video !== undefined
      if (isVideo && origins.previews !== undefined) places.add(formatPath(origins.previews))
    }
  }
  return places
}

function expandVariant(context: VariantContext, familySettings: FamilySettings, clips: ClipLengths): Unit {
  const { cue, variant, facts, model } = context
  const { settings } = variant
  const width = settings.width ?? facts.defaults.width
  const height = settings.height ?? facts.defaults.height
  checkSize(width, height, context)
  checkSequenceLength(context)
  checkSyntax(context)
  familySettings.check(context)
  const video = facts.video && planVideo(context, facts.video, clips, { width, height })
  const trajectory = readTrajectory(context, (width * height) / facts.sizeMultiple ** 2, video)
  warnOfGuidance(context, trajectory)
  const previews = readPreviews(context)
  // Without step pictures there is nothing to film.
  const film = previews !== null && filmOf(settings)
  // Assigned, not spread: a quarter of the time for thousands of units.
  const unit: Unit = Object.assign(resolved(settings, facts), {
    cue: cue.id,
    variant: variant.id,
    program: cue.program,
    output: video === undefined ? 'image' : outputKindEncodedAs(settings.videoFormat ?? 'mp4').id,
    axes: variant.axes,
    model,
    previews,
    ...(film ? { film } : {}),
    guided: isGuided(facts, trajectory),
    ...trajectory,
    ...video,
  })
  checkShapes(unit, context)
  noteUse(unit, context)
  warnOfRemains(unit, context)
  return unit
}

function filmOf({ film }: Settings): FilmOptions | false {
  if (film === undefined || film === false) return false
  const { fps, ...rest } = film
  return { ...rest, frameRate: parseFrameRate(fps) }
}

// Listed once: a sheet may have 100,000 units.
const UNIT_ROWS = SETTING_ROWS.filter(({ goes }) => goes !== 'plan')

type Resolved = PromptSettings & PictureSettings & FileSettings

/** Settings that go to a unit as they are set: by the sheet, else by the family or the table. */
function resolved(settings: Settings, { family, defaults, fixed }: ModelFacts): Resolved {
  const byFamily: Readonly<Record<string, unknown>> = defaults
  const values: Record<string, unknown> = {}
  for (const { name, otherwise } of UNIT_ROWS) {
    values[name] = settings[name] ?? (otherwise === 'family' ? byFamily[name] : otherwise)
  }
  const length = builtInLength({ family, fixed })
  if (length !== undefined) values.maxSequenceLength ??= length
  // One picture a call: another number would be another shape.
  if (fixed?.rows != null) values.batch = 1
  return values as Resolved
}

function readPreviews(context: VariantContext): Unit['previews'] {
  const { sheet, cue, variant, facts, model } = context
  const hasDecoder = facts.hasPreviewDecoder || sheet.models[model]?.previewDecoder !== undefined
  const { previews: origin } = variant.origins
  const asked = variant.settings.previews
  // What defaults and programs ask for the steps of videos may serve pictures too, which have none of it.
  const isShared = origin !== undefined && origin[0] !== 'cues' && context.forVideos.has(formatPath(origin))
  const meant = isShared && asked && !facts.video ? { ...asked, frames: undefined } : asked
  const resolved = resolvePreviews(meant, cue.program, facts, hasDecoder)
  if ('previews' in resolved) {
    const { warning } = resolved
    const place = origin ?? ['cues', cue.id]
    // One decoder, one word: the model's name keeps the warnings of a sheet apart.
    if (warning !== undefined) {
      context.faults.warn(warning.code, sheet.locate(place), `Model "${model}": ${warning.message}.`)
    }
    return resolved.previews
  }
  report(context, 'previews', resolved)
  return null
}
