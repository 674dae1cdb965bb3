/**
 * All units of one model: prompts first, then every picture. Keeps the worker's queue filled, so that the device
 * never waits for a disk, and holds only a few units at a time, so that memory never waits for one either.
 */
import pLimit, { type LimitFunction } from 'p-limit'
import { PregenError } from '../errors.ts'
import { loadSharp } from '../images/load-sharp.ts'
import { groupIntoBatches } from '../plan/batches.ts'
import type { DrawContext } from './draw-context.ts'
import { type ActiveUnit, failUnit, finishUnit, jobOf, startUnit } from './draw-unit.ts'
import type { EncodedPrompt, Generated, OpenModel, PromptJob } from './messages.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'
import { promptJobOf } from './prompt-key.ts'

// One in the device's hands and one behind it: a unit's end and the next one's start leave no gap.
const QUEUED_BATCHES = 2
// Units whose files are still being written while others are drawn; beyond it the device waits.
const OPEN_BATCHES = 5

/** @throws PregenError when the model cannot be loaded, or the worker is gone; units not settled are the caller's */
export async function drawModel(
  context: DrawContext,
  model: PreparedModel,
  units: readonly PreparedUnit[],
): Promise<void> {
  try {
    const provider = await openModel(context, model)
    await drawUnits(context, model, provider, units)
  } finally {
    // After a stop or a fault too: sessions and the prompts' scratch file go before anything else is loaded.
    if (context.worker.death() === null) await context.worker.request({ type: 'close' })
  }
  const death = context.worker.death()
  if (death !== null) throw death
}

async function drawUnits(
  context: DrawContext,
  model: PreparedModel,
  provider: string,
  units: readonly PreparedUnit[],
): Promise<void> {
  const { worker } = context
  const prompts = await encodePrompts(context, units)
  if (context.isStopped()) return
  await worker.request({
    type: 'load-denoiser',
    withVaeEncoder: units.some(({ unit }) => unit.image !== undefined),
  })
  context.emit({
    type: 'model-loaded',
    model: model.id,
    provider,
    durationMs: Math.round(context.modelLoadMs()),
  })
  await drawBatches(context, model, provider, drawable(context, units, prompts), prompts)
}

async function openModel(context: DrawContext, model: PreparedModel): Promise<string> {
  const { options, worker } = context
  const request: OpenModel = {
    type: 'open',
    path: model.folder.path,
    pipeline: model.pipeline,
    previewDecoder: model.previewDecoder,
    provider: options.provider ?? model.provider ?? 'auto',
    deviceId: options.deviceId,
    threads: options.threads,
  }
  const startedAt = performance.now()
  // The codec starts on this thread while the worker opens the model on its own.
  const [{ provider }] = await Promise.all([worker.request(request), loadSharp()])
  context.addModelLoadMs(performance.now() - startedAt)
  context.setProvider(provider)
  return provider
}

async function encodePrompts(
  context: DrawContext,
  units: readonly PreparedUnit[],
): Promise<ReadonlyMap<string, EncodedPrompt>> {
  const jobs = new Map<string, PromptJob>()
  for (const { unit } of units) {
    const job = promptJobOf(unit)
    if (!jobs.has(job.key)) jobs.set(job.key, job)
  }
  const { prompts } = await context.worker.request({ type: 'encode', prompts: [...jobs.values()] })
  for (const { warnings } of prompts) for (const warning of warnings) context.warn(warning)
  return new Map(prompts.map((prompt) => [prompt.key, prompt]))
}

/** Units whose prompts were encoded; the others have failed by now, or wait for another run after a stop. */
function drawable(
  context: DrawContext,
  units: readonly PreparedUnit[],
  prompts: ReadonlyMap<string, EncodedPrompt>,
): PreparedUnit[] {
  return units.filter((entry) => {
    const prompt = prompts.get(promptJobOf(entry.unit).key)
    if (prompt?.error) failUnit(context, entry, 'text encode', prompt.error)
    return prompt !== undefined && prompt.error === null
  })
}

async function drawBatches(
  context: DrawContext,
  model: PreparedModel,
  provider: string,
  units: readonly PreparedUnit[],
  prompts: ReadonlyMap<string, EncodedPrompt>,
): Promise<void> {
  const open = pLimit(OPEN_BATCHES)
  const queued = pLimit(QUEUED_BATCHES)
  const claimPromptMs = promptTimes(prompts)

  const finishAll = async (
    active: readonly ActiveUnit[],
    generated: readonly Generated[] | 'apart' | null,
  ) => {
    await Promise.all(
      active.map(async (one, index) => {
        const picture = Array.isArray(generated) ? generated[index] : undefined
        if (picture) await finishUnit(context, one, picture, claimPromptMs(one.entry))
        else await one.output.abandon()
        context.active.delete(one.entry.index)
      }),
    )
  }

  const drawBatch = async (active: readonly ActiveUnit[]): Promise<void> => {
    const generated = await queued(() => generate(context, active))
    if (generated !== 'apart') return finishAll(active, generated)
    for (const one of active) {
      await one.output.restart()
      await finishAll([one], await queued(() => generate(context, [one])))
    }
  }

  // Started one after the other, so that units are drawn in the order of the sheet.
  const inWork: Promise<void>[] = []
  const tokensOf = ({ unit }: PreparedUnit) => prompts.get(promptJobOf(unit).key)?.tokens ?? 0
  for (const batch of groupIntoBatches(units, tokensOf)) {
    await belowLimit(open)
    // Without a worker nothing can be drawn: what earlier runs left of the rest is not touched.
    if (context.isStopped() || context.worker.death() !== null) break
    const active: ActiveUnit[] = []
    for (const entry of batch) {
      const started = await startUnit(context, model, provider, entry)
      if (started) active.push(started)
    }
    if (active.length > 0) inWork.push(open(() => drawBatch(active)))
  }
  await Promise.all(inWork)
}

/** Waits until the limiter would start another task at once. */
async function belowLimit(limit: LimitFunction): Promise<void> {
  // A task of our own gets its turn exactly when there is room.
  await limit(() => undefined)
}

/** @returns null when the batch failed (told already) or was stopped; `apart` when its units should be tried alone */
async function generate(
  context: DrawContext,
  active: readonly ActiveUnit[],
): Promise<readonly Generated[] | 'apart' | null> {
  if (context.isStopped()) return null
  try {
    const jobs = active.map((one) => jobOf(one))
    return (await context.worker.request({ type: 'generate', jobs })).pictures
  } catch (error) {
    if (error instanceof PregenError && error.code === 'E_CANCELLED') return null
    // One picture's NaN, or memory for several at once, must not cost the neighbours theirs.
    if (active.length > 1 && context.worker.death() === null) return 'apart'
    for (const { entry } of active) failUnit(context, entry, 'generate', error)
    return null
  }
}

/** The time that encoding a prompt set took goes to the first unit that needs it. */
function promptTimes(prompts: ReadonlyMap<string, EncodedPrompt>): (entry: PreparedUnit) => number {
  const unclaimed = new Map([...prompts].map(([key, { durationMs }]) => [key, durationMs]))
  return ({ unit }) => {
    const { key } = promptJobOf(unit)
    const durationMs = unclaimed.get(key) ?? 0
    unclaimed.delete(key)
    return durationMs
  }
}
