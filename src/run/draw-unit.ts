/** One unit's way through a run: folder opened, job made, files finished, ledger told. */
import { join } from 'node:path'
import { makeFolderInside } from '../artifacts/output-folder.ts'
import { generationParameters } from '../artifacts/png.ts'
import { createVariantWriter } from '../artifacts/variant-writer.ts'
import { messageOf, PregenError } from '../errors.ts'
import { createPreviewRenderer, type PreviewRenderer } from '../preview/render.ts'
import { createAsset } from './asset.ts'
import { collectYoung } from './collect-young.ts'
import type { DrawContext } from './draw-context.ts'
import { writeFaultsOf } from './faults.ts'
import { createLiveFile } from './live-file.ts'
import type { Generated, Job, JobPreviews, WireError } from './messages.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'
import { factorsOf } from './preview-factors.ts'
import { promptJobOf } from './prompt-key.ts'
import { createUnitOutput, type UnitOutput } from './unit-output.ts'

export interface ActiveUnit {
  readonly entry: PreparedUnit
  readonly model: PreparedModel
  readonly output: UnitOutput
  readonly previews: JobPreviews | null
  readonly initImage: Float32Array | undefined
}

/**
 * Makes a unit ready for drawing, or fails it (a folder that cannot be made, an image that went away) and gives null.
 * An earlier making of it is not touched yet: units are made ready ahead of their turn.
 */
export async function startUnit(
  context: DrawContext,
  model: PreparedModel,
  provider: string,
  entry: PreparedUnit,
): Promise<ActiveUnit | null> {
  const { unit } = entry
  const { layout, ledger, options } = context
  try {
    const initImage = unit.image ? await context.initImages.load(entry) : undefined
    const folder = layout.variantFolder(unit.cue, unit.variant)
    // A folder that cannot be made is told before anything is drawn for it.
    await makeFolderInside(layout.out, folder)
    const openWriter = async () => {
      // Forgotten before a file is touched: a run that dies in between leaves nothing that looks whole.
      await ledger.forgetUnit(entry.key)
      return await createVariantWriter({ out: layout.out, folder, faults: writeFaultsOf(context.faults) })
    }
    const previews = previewsOf(entry, provider)
    const output = createUnitOutput({
      unit,
      openWriter,
      renderer: await rendererOf(context, model, entry, previews),
      liveFile: options.liveFile
        ? createLiveFile({
            out: layout.out,
            path: layout.state.livePreviewPath(unit.cue, unit.variant),
            warn: context.warn,
            faults: writeFaultsOf(context.faults),
          })
        : null,
      metadata: unit.embedMetadata ? parametersOf(entry, model) : undefined,
      emit: context.emit,
      faults: context.faults,
    })
    context.active.set(entry.index, output)
    return { entry, model, output, previews, initImage }
  } catch (error) {
    failUnit(context, entry, 'prepare', error)
    return null
  }
}

/** Who makes the previews: the main thread of handed-out latents, or the worker on its own device. */
function previewsOf({ unit }: PreparedUnit, provider: string): JobPreviews | null {
  if (unit.previews === null) return null
  const { method, every, source } = unit.previews
  const inWorker = method === 'full' || (method === 'taesd' && provider !== 'cpu')
  return { every, source, method: inWorker ? method : 'handed' }
}

async function rendererOf(
  context: DrawContext,
  model: PreparedModel,
  { unit }: PreparedUnit,
  previews: JobPreviews | null,
): Promise<PreviewRenderer | null> {
  if (unit.previews === null || previews?.method !== 'handed') return null
  const channels = model.facts.latentChannels
  const decoder = model.folder.previewDecoder
  return createPreviewRenderer({
    settings: unit.previews,
    channels,
    factors: unit.previews.method === 'latent2rgb' ? await factorsOf(model) : undefined,
    decode:
      unit.previews.method === 'taesd' && decoder !== null
        ? context.previewClient(decoder, channels).decode
        : undefined,
    width: unit.width,
    height: unit.height,
  })
}

function parametersOf({ unit }: PreparedUnit, { facts, id }: PreparedModel): string {
  return generationParameters({
    prompt: unit.prompt,
    negativePrompt: unit.negativePrompt,
    steps: unit.steps,
    sampler: unit.scheduler.name ?? facts.schedulerClass,
    guidanceScale: unit.guidanceScale,
    seed: unit.seed,
    width: unit.width,
    height: unit.height,
    model: id,
    denoiseStrength: unit.denoiseStrength,
  })
}

export function jobOf({ entry, previews, initImage }: ActiveUnit): Job {
  const { unit, index } = entry
  const { seed, rng, width, height, steps, guidanceScale, scheduler, denoiseStrength } = unit
  const shape = { seed, rng, width, height, steps, guidanceScale, scheduler, denoiseStrength }
  return { ...shape, unit: index, promptKey: promptJobOf(unit).key, initImage, previews }
}

/** Writes what was drawn, records it and sends it. Whatever goes wrong fails this unit alone. */
export async function finishUnit(
  context: DrawContext,
  active: ActiveUnit,
  generated: Generated,
  promptMs: number,
): Promise<void> {
  const { entry, model, output } = active
  const { unit, key, digest, parts } = entry
  const { cue, variant } = unit
  try {
    const { files, complete, durationMs } = await output.finish(generated, promptMs)
    context.faults.reach('before-ledger')
    const drawnMs = promptMs + generated.stepDurationsMs.reduce((sum, ms) => sum + ms, 0) + generated.decodeMs
    const asset = createAsset(context, entry, model, files, drawnMs)
    const steps = generated.stepDurationsMs.length
    await context.ledger.recordUnit(key, {
      digest,
      parts,
      files,
      complete,
      durationMs: drawnMs,
      steps,
      asset,
      callbackOwed: context.callbackOwed || undefined,
    })
    context.send(key, files, asset, complete)
    if (!complete) {
      const help = 'A preview failed; the final picture is kept, and a rerun mends the unit.'
      failUnit(context, entry, 'preview', new PregenError('E_PREVIEWS_INCOMPLETE', help))
      return
    }
    const folder = context.layout.variantFolder(cue, variant)
    const paths = files.map(({ name }) => join(folder, name))
    context.emit({ type: 'unit-finished', cue, variant, files: paths, durationMs: Math.round(durationMs) })
    context.settled.add(entry.index)
    context.countDone()
  } catch (error) {
    await output.abandon()
    failUnit(context, entry, 'write', error)
  }
  collectYoung()
}

/** Tells and counts one unit's failure; under `--fail-fast` it stops the run. */
export function failUnit(
  context: DrawContext,
  { unit, index }: PreparedUnit,
  stage: string,
  reason: unknown,
): void {
  const { cue, variant } = unit
  const { code, message } = faceOf(reason)
  const where = reason instanceof Error && 'stage' in reason ? String(reason.stage) : stage
  context.emit({ type: 'unit-failed', cue, variant, stage: where, code, message })
  context.settled.add(index)
  context.countFailed()
  if (context.options.failFast) context.stop()
}

function faceOf(reason: unknown): { code: string; message: string } {
  if (isWireError(reason) || reason instanceof PregenError)
    return { code: reason.code, message: reason.message }
  return { code: 'E_UNEXPECTED', message: messageOf(reason) }
}

function isWireError(reason: unknown): reason is WireError {
  return (
    typeof reason === 'object' &&
    reason !== null &&
    'code' in reason &&
    'stack' in reason &&
    'stage' in reason &&
    !(reason instanceof Error)
  )
}
