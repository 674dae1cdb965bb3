/** Sheet of the right shape → checked sheet: references, merged levels, listed variants. */
import { dirname, resolve } from 'node:path'
import { didYouMean } from '../did-you-mean.ts'
import { trimEndOf } from '../trim.ts'
import { checkSegments, readCallback, readStorage } from './connections.ts'
import { formatPath, quoteName, quoteWritten } from './faults.ts'
import { findIdFault, foldId, MAX_KEY_BYTES } from './ids.ts'
import type { LayerContext } from './layer-context.ts'
import { EMPTY, type Merged, mergeLayer, readLayer } from './layers.ts'
import { countCells } from './matrix.ts'
import { createModelFinder, readModels } from './models.ts'
import type { ParseSheetOptions } from './options.ts'
import { mergePrograms } from './programs.ts'
import type { SheetInput } from './schema.ts'
import { SETTING_ROWS } from './setting-types.ts'
import { MAX_PIXELS } from './settings.ts'
import type { CueSheet, SheetCue, SheetModel, SheetVariant } from './sheet.ts'
import { expandVariants } from './variants.ts'

const DEFAULT_ROOT = 'foigoi'
const MAX_UNITS = 100_000
/** Characters of all prompts that templates make: 100,000 units may have one of 20,000 each. */
const MAX_TEMPLATE_CHARS = 50_000_000
/** Axes of a matrix: each cell of 100,000 has a value of each. */
const MAX_AXES = 32
/** The longest file name inside a variant's folder. */
const LONGEST_FILE = 'final.thumb.webp'

export function assembleSheet(
  input: SheetInput,
  options: ParseSheetOptions,
  found: Pick<LayerContext, 'doc' | 'faults' | 'isTainted' | 'rows'>,
): Omit<CueSheet, 'warnings'> {
  const { doc } = found
  const directory = dirname(resolve(options.file))
  const allowedVariables = options.allowedVariables ?? []
  const budget = { characters: MAX_TEMPLATE_CHARS }
  const context: LayerContext = { ...found, allowedVariables, budget, directory }
  const version = readVersion(input.version, context, options)
  const root = trimEndOf(input.root ?? DEFAULT_ROOT, '/')
  checkSegments(root, ['root'], 'E_BAD_ROOT', context)
  const storage = readStorage(input.storage, context)
  const findModel = createModelFinder(readModels(input, context), options.embeddedModels ?? {}, context)
  const models = new Map<string, SheetModel>()
  const base = [...(storage?.prefix ? [storage.prefix] : []), root, version, 'cues'].join('/')
  const cues = readCues(input, context, options.maxUnits ?? MAX_UNITS).map((cue) => ({
    ...cue,
    variants: cue.variants.map((variant) => {
      checkKeyLength(`${base}/${cue.id}/${variant.id}/${LONGEST_FILE}`, variant, context)
      checkTogether(variant, cue.id, context)
      const model = findModel(variant, cue.id)
      if (model === undefined) return variant
      models.set(model.id, model)
      if (variant.settings.model !== undefined) return variant
      return { ...variant, settings: { ...variant.settings, model: model.id } }
    }),
  }))
  return {
    file: options.file,
    version,
    root,
    models: Object.fromEntries(models),
    cues,
    storage,
    gallery: input.gallery === true,
    callback: readCallback(input.callback, context),
    locate: doc.locate,
    written: doc.written,
  }
}

function readVersion(
  inSheet: string | undefined,
  { doc, faults }: LayerContext,
  options: ParseSheetOptions,
): string {
  const fromEnv = options.env.PREGEN_VERSION_ID || undefined
  const version = options.versionId ?? fromEnv ?? inSheet
  const source =
    options.versionId !== undefined ? '--version-id' : fromEnv !== undefined ? 'PREGEN_VERSION_ID' : undefined
  const location = () => (source === undefined ? doc.locate(['version']) : undefined)
  if (version === undefined) {
    // A version of the wrong type is reported by its shape already.
    if (doc.keys([]).includes('version')) return 'unnamed'
    const help = 'Add "version: opening-night", or set PREGEN_VERSION_ID or --version-id.'
    faults.add('E_NO_VERSION', location(), 'The sheet has no version.', help)
    return 'unnamed'
  }
  const fault = findIdFault(version)
  if (fault) {
    const shown =
      source === undefined ? quoteWritten(doc.written(['version']) ?? version) : quoteName(version)
    const message = `The version ${shown} (${source ?? 'version'}) ${fault.why}.`
    faults.add('E_BAD_VERSION', location(), message, fault.help)
  }
  return version
}

/** Cues in the order of the file. */
function readCues(input: SheetInput, context: LayerContext, maxUnits: number): readonly SheetCue[] {
  const { doc, faults } = context
  const programs = readPrograms(input, context)
  const programIds = new Set(doc.keys(['programs']))
  if (programIds.size === 0) {
    const help = 'Add one at least, such as "P0: {}".'
    faults.add('E_NO_PROGRAMS', doc.locate(['programs'], 'key'), 'The sheet has no programs.', help)
  }
  const ids = doc.keys(['cues'])
  if (ids.length === 0) {
    const help = 'Add one at least: a program, a prompt, and variants or seeds.'
    faults.add('E_NO_CUES', doc.locate(['cues'], 'key'), 'The sheet has no cues.', help)
  }
  const count = countUnits(input, context.rows)
  if (count > maxUnits) {
    const message = `The sheet makes ${count} units; ${maxUnits} is the limit.`
    faults.add(
      'E_TOO_MANY_UNITS',
      doc.locate(['cues'], 'key'),
      message,
      'Split the sheet, or shorten "matrix" and "seeds".',
    )
    return []
  }
  if (!checkAxes(input, context)) return []
  return ids.flatMap((id) => {
    const cue = Object.hasOwn(input.cues, id) ? input.cues[id] : undefined
    if (cue === undefined) return []
    const program = programs.get(cue.program)
    if (program === undefined && !programIds.has(cue.program)) {
      const path = ['cues', id, 'program']
      const shown = quoteWritten(doc.written(path) ?? cue.program)
      const message = `${formatPath(path)} is ${shown}, which is no program of this sheet.`
      faults.add('E_UNKNOWN_PROGRAM', doc.locate(path), message, () =>
        didYouMean(cue.program, [...programIds]),
      )
    }
    const variants = expandVariants(id, cue, program ?? EMPTY, context)
    checkVariantIds(id, variants, context)
    return [{ id, program: cue.program, variants }]
  })
}

/** Whether each matrix has so few axes that its cells can be listed. */
function checkAxes({ cues }: SheetInput, { doc, faults }: LayerContext): boolean {
  const broad = Object.keys(cues).filter((id) => Object.keys(cues[id]?.matrix ?? {}).length > MAX_AXES)
  for (const id of broad) {
    const path = ['cues', id, 'matrix']
    const message = `${formatPath(path)} has more than ${MAX_AXES} axes.`
    faults.add('E_BAD_VALUE', doc.locate(path, 'key'), message, 'List variants, or make several cues.')
  }
  return broad.length === 0
}

function countUnits(input: SheetInput, rows: LayerContext['rows']): number {
  const listed = [...(rows?.values() ?? [])].reduce((sum, source) => sum + source.rows.length, 0)
  return Object.values(input.cues).reduce((sum, cue) => {
    return sum + Object.keys(cue.variants ?? {}).length + (cue.seeds?.length ?? 0) + countCells(cue.matrix)
  }, listed)
}

function readPrograms(input: SheetInput, context: LayerContext): ReadonlyMap<string, Merged> {
  const { doc, faults } = context
  const defaults = mergeLayer(
    EMPTY,
    readLayer(input.defaults ?? {}, (key) => ['defaults', key], context),
  )
  const layers = doc.keys(['programs']).map((id) => {
    const program = Object.hasOwn(input.programs, id) ? input.programs[id] : undefined
    const layer = readLayer(program ?? {}, (key) => ['programs', id, key], context)
    return [id, { extends: program?.extends, layer }] as const
  })
  return mergePrograms(defaults, new Map(layers), doc, faults)
}

/** Ids that `seeds` and `matrix` made, against each other and against the listed ones. */
function checkVariantIds(
  cue: string,
  variants: readonly SheetVariant[],
  { doc, faults }: LayerContext,
): void {
  const folds = new Map<string, string>()
  for (const { id, path } of variants) {
    const fold = foldId(id)
    const twin = folds.get(fold)
    folds.set(fold, twin ?? id)
    // Listed ids have been checked with the keys of the file, and come first.
    if (path[2] === 'variants') continue
    const fault = findIdFault(id)
    if (fault)
      faults.add(fault.code, doc.locate(path), `The variant id ${quoteName(id)} ${fault.why}.`, fault.help)
    if (twin === undefined) continue
    const message = `${formatPath(['cues', cue])} has two variants ${quoteName(id)}${twin === id ? '' : ` (the other is ${quoteName(twin)})`}.`
    faults.add('E_DUPLICATE_ID', doc.locate(path), message, 'Rename one of the two.')
  }
}

function checkKeyLength(key: string, { path }: SheetVariant, { doc, faults }: LayerContext): void {
  // UTF-8 takes at most three bytes per UTF-16 unit: most keys need no counting.
  if (key.length * 3 <= MAX_KEY_BYTES) return
  const bytes = Buffer.byteLength(key)
  if (bytes <= MAX_KEY_BYTES) return
  const message = `The longest key of ${formatPath(path)} would be ${bytes} bytes; buckets allow ${MAX_KEY_BYTES}.`
  faults.add(
    'E_KEY_TOO_LONG',
    doc.locate(path, 'key'),
    message,
    'Shorten the ids, the version or the prefix.',
  )
}

/** Faults that only the merged settings show. */
function checkTogether({ path, settings, origins }: SheetVariant, cue: string, context: LayerContext): void {
  const { doc, faults, isTainted } = context
  const { width, height, image, video } = settings
  if (width !== undefined && height !== undefined && width * height > MAX_PIXELS) {
    const at = [origins.width ?? path, origins.height ?? path].sort((a, b) => b.length - a.length)[0]!
    const message = `${formatPath(path)} is ${width} × ${height} = ${width * height} pixels.`
    faults.add(
      'E_TOO_MANY_PIXELS',
      doc.locate(at),
      message,
      `A picture may have ${MAX_PIXELS} pixels (4096 × 4096).`,
    )
  }
  if (image !== undefined || isTainted(cue)) return
  for (const { name, needsImage } of SETTING_ROWS) {
    if (!needsImage || (needsImage === 'or video' && video !== undefined)) continue
    const at = origins[name]
    // In defaults it waits for the cues that do have an image.
    if (at === undefined || at[0] === 'defaults' || settings[name] === false) continue
    const message = `${formatPath(at)} needs an image to start from, and ${formatPath(path)} has none.`
    faults.add(
      'E_NO_IMAGE',
      doc.locate(at),
      message,
      'Set "image", or move this setting to "defaults" or away.',
    )
  }
}
