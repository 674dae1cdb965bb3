/**
 * Everything that can be known, and can be wrong, before a model loads: the sheet, its model folders, its init
 * images, its units and their digests. Writes nothing.
 */
import { createLayout } from '../artifacts/layout.ts'
import { readCueSheet, readSheetText } from '../cue-sheet/read.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import { readTrainedSizes } from '../model/trained-sizes.ts'
import { checkCallbackUrl } from '../net/post-json.ts'
import { digestOfParts, digestParts } from '../plan/digest.ts'
import { expandUnits } from '../plan/expand.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import { selectUnits } from '../plan/select.ts'
import { type FoundShard, parseShard, type Shard, shardFromEnv, shardUnits } from '../plan/shard.ts'
import { warnOfSizes } from '../plan/trained-sizes.ts'
import { checkEncoders } from './check-encoders.ts'
import { checkFilms } from './check-films.ts'
import { checkInitImages } from './check-init-images.ts'
import { findMemoryFaults } from './check-memory.ts'
import { checkPrompts } from './check-prompts.ts'
import { takeImageSizes } from './image-sizes.ts'
import type { SelectOptions } from './options.ts'
import { modelWarnings, prepareModels, withModels } from './prepare-models.ts'
import type { PreparedRun, PreparedUnit, PrepareWarning, SheetUnit } from './prepared.ts'
import { findFactorFaults } from './preview-factors.ts'
import { checkReferences } from './reference-images.ts'
import { findReferenceFaults } from './reference-sizes.ts'
import { checkSourceVideos, countClips } from './source-videos.ts'

/** Raised whenever a release changes the pixels that the same sheet gives: all units are then drawn anew. */
const RENDER_VERSION = 1

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
    const { url, locate } = written.callback
    checkCallbackUrl(url, { allowPrivate: options.allowPrivateUrls }, locate)
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
  const sizeFaults = findReferenceFaults(units, sheet, facts, references)
  if (sizeFaults.length > 0) throw new PregenErrors(sizeFaults)
  const videoHashOf = await checkSourceVideos(units, sheet, options.signal)
  await checkEncoders(units, sheet)
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
      ...[...warnings, ...modelWarnings(models)].map(({ code, message }) => ({ code, message })),
      ...prompts.warnings,
      ...sizeWarnings,
      ...warnOfSizes(units, trained),
      ...images.warnings,
    ],
  }
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
