/**
 * Everything that can be known, and can be wrong, before a model loads: the sheet, its model folders, its init
 * images, its units and their digests. Writes nothing.
 */
import { createLayout, outputKindOf } from '../artifacts/layout.ts'
import { readCueSheet, readSheetText } from '../cue-sheet/read.ts'
import type { CueSheet, SheetModel } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import { checkModelFolder } from '../model/check.ts'
import { modelFacts } from '../model/facts.ts'
import type { HashOptions } from '../model/file-hash.ts'
import { readModelFolder } from '../model/folder.ts'
import { readTrainedSizes } from '../model/trained-sizes.ts'
import { checkCallbackUrl } from '../net/post-json.ts'
import { digestOfParts, digestParts } from '../plan/digest.ts'
import { expandUnits } from '../plan/expand.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import { selectUnits } from '../plan/select.ts'
import { type FoundShard, parseShard, type Shard, shardFromEnv, shardUnits } from '../plan/shard.ts'
import { warnOfSizes } from '../plan/trained-sizes.ts'
import type { Unit } from '../plan/unit.ts'
import { checkFilms } from './check-films.ts'
import { checkInitImages } from './check-init-images.ts'
import { findMemoryFaults } from './check-memory.ts'
import { checkPrompts } from './check-prompts.ts'
import { takeImageSizes } from './image-sizes.ts'
import type { SelectOptions } from './options.ts'
import { placeOfModel } from './place-model.ts'
import type { PreparedModel, PreparedRun, PreparedUnit, PrepareWarning, SheetUnit } from './prepared.ts'
import { findFactorFaults } from './preview-factors.ts'
import { checkReferences } from './reference-images.ts'
import { checkSourceVideos, countClips } from './source-videos.ts'

/** Raised whenever a release changes the pixels that the same sheet gives: all units are then drawn anew. */
export const RENDER_VERSION = 1

/**
 * @throws PregenErrors with every fault that was found, PregenError for a bad flag; `E_CANCELLED` when the signal was
 *   aborted
 */
export async function prepareRun(options: SelectOptions): Promise<PreparedRun> {
  try {
    return await prepare(options)
  } catch (error) {
    if (options.signal?.aborted) throw cancelled(error)
    throw error
  }
}

/** What a run that was cancelled before it began ends with. */
export function cancelled(cause: unknown): PregenError {
  return new PregenError('E_CANCELLED', 'Cancelled before anything was drawn.', { cause, exitCode: 3 })
}

async function prepare(options: SelectOptions): Promise<PreparedRun> {
  const startedAt = performance.now()
  const found = shardOf(options)
  // One of one is the whole sheet, whatever a batch system says.
  const shard = found?.total === 1 ? null : found
  const read = await readSheet(options)
  options.checkSheet?.(read)
  const models = await prepareModels(read, options)
  const written = withModels(read, models)
  if (written.callback !== null) {
    const { url, location } = written.callback
    checkCallbackUrl(url, { allowPrivate: options.allowPrivateUrls }, location)
  }
  const facts = Object.fromEntries([...models].map(([id, model]): [string, ModelFacts] => [id, model.facts]))
  const trained = new Map([...models].map(([id, { folder }]) => [id, readTrainedSizes(folder.path)]))
  const { sheet, warnings: sizeWarnings } = await takeImageSizes(written, facts, trained)
  const { units: all, warnings } = expandUnits(sheet, facts, await countClips(sheet))
  const { cue, variant, program } = options
  // Shards are dealt from the whole list, so that they stay disjoint under --cue and the like.
  const selected = new Set(selectUnits(all, { cue, variant, program }))
  const units = (shard === null ? all : shardUnits(all, shard)).filter((unit) => selected.has(unit))
  const factorFaults = await findFactorFaults(units, models)
  const prompts = await checkPrompts(units, models)
  const modelFaults = [...factorFaults, ...prompts.faults]
  if (modelFaults.length > 0) throw new PregenErrors(modelFaults)
  await checkFilms(units, sheet)
  const layout = createLayout({ out: options.outDir, root: sheet.root, version: sheet.version })
  const images = await checkInitImages(units, sheet, layout, options)
  const references = await checkReferences(units, sheet, layout, options)
  const videoHashOf = await checkSourceVideos(units, sheet, options.signal)
  await requireEncoder(units)
  const memoryFaults = findMemoryFaults(units, models, options.provider)
  if (memoryFaults.length > 0) throw new PregenErrors(memoryFaults)
  const sheetUnits = new Map<string, SheetUnit>()
  for (const { id: cue, variants } of read.cues) {
    for (const { id: variant } of variants)
      sheetUnits.set(layout.variantKey(cue, variant), { cue, variant, index: sheetUnits.size })
  }
  const prepared = units.map((unit): PreparedUnit => {
    const parts = digestParts(unit, {
      modelFingerprint: facts[unit.model]?.fingerprint ?? '',
      imageSha256: images.hashOf(unit),
      maskSha256: images.maskHashOf(unit),
      lastImageSha256: images.lastImageHashOf(unit),
      videoSha256: videoHashOf(unit),
      imagesSha256: references.hashesOf(unit),
      renderVersion: RENDER_VERSION,
    })
    const key = layout.variantKey(unit.cue, unit.variant)
    return { unit, index: sheetUnits.get(key)?.index ?? -1, key, digest: digestOfParts(parts), parts }
  })
  return {
    startedAt,
    sheet,
    version: sheet.version,
    layout,
    units: prepared,
    sheetUnits,
    models,
    shard: shard === null ? null : `${shard.index}/${shard.total}`,
    uncheckedImages: new Set([...images.unchecked, ...references.unchecked]),
    warnings: [
      ...shardWarnings(shard, units.length, all.length),
      ...[...warnings, ...schedulerWarnings(models)].map(({ code, message }) => ({ code, message })),
      ...prompts.warnings,
      ...sizeWarnings,
      ...warnOfSizes(units, trained),
      ...images.warnings,
    ],
  }
}

/** Folders whose two files name different schedulers: model_index.json's runs, as in diffusers. */
function schedulerWarnings(models: ReadonlyMap<string, PreparedModel>): { code: string; message: string }[] {
  return [...models.values()].flatMap(({ id, folder: { schedulerClass, schedulerConfig } }) => {
    const { _class_name: other } = schedulerConfig
    if (typeof other !== 'string' || other === schedulerClass) return []
    const message = `Model "${id}": model_index.json names ${schedulerClass}, scheduler_config.json ${other.slice(0, 80)}: the first runs, with the keys of the second, as in diffusers.`
    return [{ code: 'W_SCHEDULER_CLASS', message }]
  })
}

/** Videos need an encoder, which is not everywhere. @throws PregenError `E_NO_ENCODER` */
async function requireEncoder(units: readonly Unit[]): Promise<void> {
  if (!units.some(({ output }) => outputKindOf(output).isVideo)) return
  const { missingEncoder } = await import('../media/video-writer.ts')
  const missing = await missingEncoder('mp4')
  if (missing) throw missing
}

function readSheet(options: SelectOptions): Promise<CueSheet> {
  const { sheetPath, sheetBytes, env, allowedVariables, onVariable, versionId } = options
  const { embeddedModels, withoutTargets, rowFiles } = options
  const context = { env, allowedVariables, onVariable, versionId, embeddedModels, withoutTargets, rowFiles }
  if (sheetBytes === undefined) return readCueSheet(sheetPath, context)
  return readSheetText(sheetBytes, { ...context, file: sheetPath })
}

/** Said loudly: a job that was numbered for another reason (GitLab's parallel matrix) would silently draw a part. */
function shardWarnings(shard: FoundShard | Shard | null, drawn: number, all: number): PrepareWarning[] {
  if (shard === null || !('source' in shard)) return []
  const message = `${shard.source}: this job does shard ${shard.index}/${shard.total} of its sheet, ${drawn} of ${all} units, and leaves the others to its siblings. If each job has a sheet of its own, say --shard 1/1.`
  return [{ code: 'W_SHARD_AUTOMATIC', message }]
}

/** `--shard` wins; without it the batch system's numbers count. */
function shardOf({ shard, shardTotal, env }: SelectOptions): FoundShard | Shard | null {
  return shard === undefined ? shardFromEnv(env, shardTotal) : parseShard(shard)
}

/** Reads and checks the folders of all models that the sheet uses. @throws PregenErrors with all their faults */
async function prepareModels(
  sheet: CueSheet,
  { cacheDir, onHash, trustSize, env, signal, modelPlaces = {}, onAbsentModel }: SelectOptions,
): Promise<Map<string, PreparedModel>> {
  const models = new Map<string, PreparedModel>()
  const faults: PregenError[] = []
  for (const [id, model] of Object.entries(sheet.models)) {
    signal?.throwIfAborted()
    const inSheet = (error: PregenError): PregenError => atItsModel(error, sheet, model)
    try {
      const own = Object.hasOwn(modelPlaces, id) ? modelPlaces[id] : undefined
      const path = own ?? placeOfModel(model, sheet, env)
      models.set(id, await prepareModel(id, { ...model, path }, { cacheDir, onHash, trustSize }))
    } catch (error) {
      if (!(error instanceof PregenErrors || error instanceof PregenError)) throw error
      const own = (error instanceof PregenErrors ? error.errors : [error]).map(inSheet)
      if (onAbsentModel) onAbsentModel(id, own)
      else faults.push(...own)
    }
  }
  if (faults.length > 0) throw new PregenErrors(faults)
  return models
}

/** The sheet without the units of models that are not here. */
function withModels(sheet: CueSheet, models: ReadonlyMap<string, PreparedModel>): CueSheet {
  if (Object.keys(sheet.models).every((id) => models.has(id))) return sheet
  const cues = sheet.cues.map((cue) => ({
    ...cue,
    variants: cue.variants.filter(({ settings }) => models.has(settings.model ?? '')),
  }))
  return { ...sheet, cues }
}

/** A path that the sheet got wrong is a fault of the sheet: told with its line, and the path in the message. */
function atItsModel(error: PregenError, sheet: CueSheet, { id, embedded, path }: SheetModel): PregenError {
  const { code, message, help, location } = error
  if (embedded || location === undefined) return error
  if (code !== 'E_MODEL_MISSING' && code !== 'E_MODEL_NOT_A_FOLDER') return error
  // The other path of a model is its preview decoder's.
  const key = location.file === path ? 'path' : 'preview_decoder'
  const place = sheet.locate(['models', id, key])
  return new PregenError(code, `models.${id}: ${location.file}: ${message}`, { help, location: place })
}

async function prepareModel(id: string, model: SheetModel, hashing: HashOptions): Promise<PreparedModel> {
  const { path, pipeline, variant, previewDecoder, provider, sha256 } = model
  const folder = readModelFolder(path, { pipeline, variant, previewDecoder })
  await checkModelFolder(folder, hashing)
  const facts = await modelFacts(folder, hashing)
  if (sha256 !== undefined && sha256 !== facts.fingerprint) {
    throw new PregenError(
      'E_MODEL_SHA256',
      `The model "${id}" is not the one that the sheet names: its fingerprint is ${facts.fingerprint}, the sheet wants ${sha256}.`,
      {
        location: { file: path },
        help: 'Get the right folder, or correct sha256 ("pregen models inspect" prints the fingerprint).',
      },
    )
  }
  return { id, folder, facts, provider, pipeline, variant, previewDecoder }
}
