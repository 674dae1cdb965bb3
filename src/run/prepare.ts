/**
 * Everything that can be known, and can be wrong, before a model loads: the sheet, its model folders, its init
 * images, its units and their digests. Writes nothing.
 */
import { createLayout } from '../artifacts/layout.ts'
import { readCueSheet } from '../cue-sheet/read.ts'
import type { CueSheet, SheetModel } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors, type SourceLocation } from '../errors.ts'
import { checkModelFolder } from '../model/check.ts'
import { modelFacts } from '../model/facts.ts'
import { readModelFolder } from '../model/folder.ts'
import { readTrainedSizes } from '../model/trained-sizes.ts'
import { checkCallbackUrl } from '../net/post-json.ts'
import { digestOfParts, digestParts } from '../plan/digest.ts'
import { expandUnits } from '../plan/expand.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import { selectUnits } from '../plan/select.ts'
import { parseShard, type Shard, shardFromEnv, shardUnits } from '../plan/shard.ts'
import { warnOfSizes } from '../plan/trained-sizes.ts'
import { type Unit, unitName } from '../plan/unit.ts'
import type { SelectOptions } from './options.ts'
import type { PreparedModel, PreparedRun, PreparedUnit, SheetUnit } from './prepared.ts'
import { findFactorFaults } from './preview-factors.ts'

/** Raised whenever a release changes the pixels that the same sheet gives: all units are then drawn anew. */
export const RENDER_VERSION = 1

/** @throws PregenErrors with every fault that was found, PregenError for a bad flag */
export async function prepareRun(options: SelectOptions): Promise<PreparedRun> {
  const startedAt = performance.now()
  const { env, versionId, embeddedModels } = options
  const shard = shardOf(options)
  const sheet = await readCueSheet(options.sheetPath, { env, versionId, embeddedModels })
  if (sheet.callback !== null) {
    const { url, location } = sheet.callback
    checkCallbackUrl(url, { allowPrivate: options.allowPrivateUrls }, location)
  }
  const models = await prepareModels(sheet, options.cacheDir)
  const facts = Object.fromEntries([...models].map(([id, model]): [string, ModelFacts] => [id, model.facts]))
  const { units: all, warnings } = expandUnits(sheet, facts)
  const { cue, variant, program } = options
  // Shards are dealt from the whole list, so that they stay disjoint under --cue and the like.
  const selected = new Set(selectUnits(all, { cue, variant, program }))
  const units = (shard === null ? all : shardUnits(all, shard)).filter((unit) => selected.has(unit))
  const trained = new Map([...models].map(([id, { folder }]) => [id, readTrainedSizes(folder.path)]))
  const factorFaults = await findFactorFaults(units, models)
  if (factorFaults.length > 0) throw new PregenErrors(factorFaults)
  const images = await checkInitImages(units, sheet, options.allowPrivateUrls)

  const layout = createLayout({ out: options.outDir, root: sheet.root, version: sheet.version })
  const sheetUnits = new Map<string, SheetUnit>()
  const indexOf = new Map<Unit, number>()
  for (const [index, unit] of all.entries()) {
    sheetUnits.set(layout.variantKey(unit.cue, unit.variant), { cue: unit.cue, variant: unit.variant, index })
    indexOf.set(unit, index)
  }
  const prepared = units.map((unit): PreparedUnit => {
    const parts = digestParts(unit, {
      modelFingerprint: facts[unit.model]?.fingerprint ?? '',
      imageSha256: images.get(imageKey(unit)),
      renderVersion: RENDER_VERSION,
    })
    const key = layout.variantKey(unit.cue, unit.variant)
    return { unit, index: indexOf.get(unit) ?? -1, key, digest: digestOfParts(parts), parts }
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
    warnings: [...warnings.map(({ code, message }) => ({ code, message })), ...warnOfSizes(units, trained)],
  }
}

/** `--shard` wins; without it the batch system's numbers count. */
function shardOf({ shard, shardTotal, env }: SelectOptions): Shard | null {
  return shard === undefined ? shardFromEnv(env, shardTotal) : parseShard(shard)
}

/** Reads and checks the folders of all models that the sheet uses. @throws PregenErrors with all their faults */
async function prepareModels(
  sheet: CueSheet,
  cacheDir: string | undefined,
): Promise<Map<string, PreparedModel>> {
  const models = new Map<string, PreparedModel>()
  const faults: PregenError[] = []
  for (const [id, model] of Object.entries(sheet.models)) {
    try {
      models.set(id, await prepareModel(id, model, cacheDir))
    } catch (error) {
      if (error instanceof PregenErrors) faults.push(...error.errors)
      else if (error instanceof PregenError) faults.push(error)
      else throw error
    }
  }
  if (faults.length > 0) throw new PregenErrors(faults)
  return models
}

async function prepareModel(
  id: string,
  model: SheetModel,
  cacheDir: string | undefined,
): Promise<PreparedModel> {
  const { path, pipeline, previewDecoder, provider, sha256 } = model
  const folder = readModelFolder(path, { pipeline, previewDecoder })
  await checkModelFolder(folder, { cacheDir })
  const facts = await modelFacts(folder, { cacheDir })
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
  return { id, folder, facts, provider, pipeline, previewDecoder }
}

/** Decodes every init image once, and gives the sha-256 of each. @throws PregenErrors with all their faults */
async function checkInitImages(
  units: readonly Unit[],
  sheet: CueSheet,
  allowPrivate: boolean,
): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>()
  const faults = new Map<string, PregenError>()
  if (units.every(({ image }) => image === undefined)) return hashes
  // The codecs are heavy, and most sheets start from no picture.
  const { checkInitImage } = await import('../images/init-image.ts')
  for (const unit of units) {
    const key = imageKey(unit)
    if (unit.image === undefined || hashes.has(key) || faults.has(key)) continue
    const { width, height } = unit
    try {
      const { sha256 } = await checkInitImage({ ...unit.image, width, height, allowPrivate })
      hashes.set(key, sha256)
    } catch (error) {
      if (!(error instanceof PregenError)) throw error
      const { help, exitCode, code, message } = error
      const told = { help, exitCode, cause: error, location: imageLocation(sheet, unit) }
      faults.set(key, new PregenError(code, `${unitName(unit)}: ${message}`, told))
    }
  }
  if (faults.size > 0) throw new PregenErrors([...faults.values()])
  return hashes
}

/** Where the sheet names a unit's image. */
function imageLocation(sheet: CueSheet, unit: Unit): SourceLocation | undefined {
  const cue = sheet.cues.find(({ id }) => id === unit.cue)
  const origin = cue?.variants.find(({ id }) => id === unit.variant)?.origins.image
  return origin && sheet.locate(origin)
}

/** Units that share a source, a size and a fit share the check. */
function imageKey({ image, width, height }: Unit): string {
  return image === undefined ? '' : JSON.stringify([image.source, image.fit ?? null, width, height])
}
