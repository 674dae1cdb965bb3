/** What image-to-image, exact_copy_mode, guidance and the schedule decide together, for one variant. */
import type { SettingName } from '../cue-sheet/setting-types.ts'
import type { PregenError } from '../errors.ts'
import { noGuidance } from '../families/guidance.ts'
import { familyOf } from '../families/index.ts'
import type { ScheduleRequest } from '../families/schedule.ts'
import { EXACT_COPY_STRENGTH, exactCopySteps } from './exact-copy.ts'
import { readPictures } from './pictures.ts'
import type { Unit } from './unit.ts'
import { nameOfSetting, report, type VariantContext } from './variant-context.ts'
import type { UnitVideo } from './video.ts'

/** Strength of image-to-image where the sheet names none. */
const DEFAULT_DENOISE_STRENGTH = 0.6

type Trajectoried = Pick<
  Unit,
  | 'scheduler'
  | 'image'
  | 'images'
  | 'denoiseStrength'
  | 'exactCopyMode'
  | 'steps'
  | 'executedSteps'
  | 'guidanceScale'
  | 'trueCfgScale'
  | 'negativePrompt'
  | 'negativePrompt2'
>

/** @param imageTokens width × height over the square of the model's size multiple */
export function readTrajectory(
  context: VariantContext,
  imageTokens: number,
  video: UnitVideo | undefined,
): Trajectoried {
  const { variant, facts } = context
  const { settings } = variant
  const pictures = readPictures({
    ...context,
    report: (name, fault) => report(context, name, fault),
  })
  const { images } = pictures
  // A video's pictures are shown to the model; what its drawing starts from is another video.
  const image = video === undefined ? pictures.image : video.video
  const exactCopyMode = pictures.image !== undefined && video === undefined && settings.exactCopyMode === true
  const asked = image === undefined ? undefined : (settings.denoiseStrength ?? DEFAULT_DENOISE_STRENGTH)
  const denoiseStrength = exactCopyMode && asked !== undefined ? Math.min(asked, EXACT_COPY_STRENGTH) : asked
  const steps =
    exactCopyMode && denoiseStrength !== undefined
      ? exactCopySteps(facts, denoiseStrength)
      : (settings.steps ?? facts.defaults.steps)
  const scheduler = settings.scheduler ?? { name: undefined, config: {} }
  const { family, schedulerConfig: folderConfig } = facts
  const request = { family, folderConfig, scheduler, steps, strength: denoiseStrength, imageTokens }
  const executedSteps = countSteps(request, context)
  return {
    image: pictures.image,
    images,
    denoiseStrength,
    exactCopyMode,
    scheduler,
    steps,
    executedSteps,
    guidanceScale: exactCopyMode
      ? noGuidance(familyOf(family))
      : (settings.guidanceScale ?? facts.defaults.guidanceScale),
    trueCfgScale: settings.trueCfgScale ?? facts.defaults.trueCfgScale,
    negativePrompt: exactCopyMode ? undefined : settings.negativePrompt,
    negativePrompt2: exactCopyMode ? undefined : settings.negativePrompt2,
  }
}

/** @returns the executed steps, after reporting what stands in their way */
function countSteps(request: ScheduleRequest, context: VariantContext): number {
  const account = context.accountFor(request)
  if ('executedSteps' in account) return account.executedSteps
  for (const { key, error } of account.faults) reportScheduler(context, key, error)
  return request.steps
}

/** A scheduler's fault at the key of its map, at the number of steps, or at the setting as a whole. */
function reportScheduler(context: VariantContext, key: string | null, error: PregenError): void {
  const { variant, sheet, faults } = context
  const { scheduler: origin } = variant.origins
  if (key !== null && origin !== undefined) {
    const at = error.code === 'E_UNKNOWN_KEY' ? 'key' : 'value'
    faults.add(
      error.code,
      sheet.locate([...origin, key], at),
      `${nameOfSetting(origin, context, error.message)}: ${error.message}.`,
      error.help,
    )
  } else {
    const { code, message, help } = error
    report(context, settingAtFault(error, context), { code, why: `does not work: ${message}`, help })
  }
}

function settingAtFault({ code }: PregenError, { variant }: VariantContext): SettingName {
  if (code === 'E_SCHEDULER_STEPS') return 'steps'
  if (code !== 'E_NO_STEPS') return 'scheduler'
  return variant.settings.denoiseStrength === undefined ? 'image' : 'denoiseStrength'
}
