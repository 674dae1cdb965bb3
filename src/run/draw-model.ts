/**
 * All units of one model, shared out over the engine's devices as each gets free: prompts first, then every picture.
 * Keeps a device's queue filled, so that it never waits for a disk, and holds only a few units at a time, so that memory
 * never waits for one either.
 */
import pLimit, { type LimitFunction } from 'p-limit'
import { type Device, isDeath, type OpenedModel } from '../engine/device.ts'
import type { EncodedPrompt, PromptJob } from '../engine/inference-calls.ts'
import { PregenError } from '../errors.ts'
import { familyOf } from '../families/index.ts'
import { loadSharp } from '../images/load-sharp.ts'
import { groupIntoBatches } from '../plan/batches.ts'
import { type BatchQueue, createBatchQueue } from './batch-queue.ts'
import { nameUnits } from './check-prompts.ts'
import { generateBatch, promptTimes } from './generate-batch.ts'
import type { RunOptions } from './options.ts'
import type { PreparedModel, PreparedUnit, PrepareWarning } from './prepared.ts'
import { promptJobOf } from './prompt-key.ts'
import { createUnitLife, type UnitLife, type UnitServices } from './unit-life.ts'

// One in the device's hands and one behind it: a unit's end and the next one's start leave no gap.
const QUEUED_BATCHES = 2
// Units of a device whose files are still being written while others are drawn; beyond it the device waits.
const OPEN_BATCHES = 5
// A unit whose drawing killed its device twice is not tried a third time.
const MAX_BEGINNINGS = 2

export interface Drawing {
  readonly devices: readonly Device[]
  readonly services: UnitServices
  readonly options: Pick<RunOptions, 'provider' | 'threads'>
  /** Aborted: the run stops before the next step. */
  readonly stopping: AbortSignal
  readonly noteModelLoad: (durationMs: number) => void
}

/** What the devices share while one model is drawn. */
interface ModelWork {
  readonly model: PreparedModel
  readonly units: readonly PreparedUnit[]
  /** Made when a device has encoded the prompts, whose lengths decide what fits into one batch; null before. */
  queue: BatchQueue<PreparedUnit> | null
  /** Made when a unit is first taken from the queue; kept while it is in work, or given back. */
  readonly lives: Map<PreparedUnit, UnitLife>
}

/**
 * Every unit is drawn, has failed, or is left after a stop.
 * @throws PregenError `E_PROVIDER_UNAVAILABLE`; every other fault is a unit's
 */
export async function drawModel(
  drawing: Drawing,
  model: PreparedModel,
  units: readonly PreparedUnit[],
): Promise<void> {
  const work: ModelWork = { model, units, queue: null, lives: new Map() }
  // What an earlier model did to a device is not this one's fault.
  for (const device of drawing.devices) device.resetDeaths()
  const ends = await Promise.allSettled(drawing.devices.map((device) => drawOn(drawing, work, device)))
  const rest = work.queue?.takeRest() ?? units
  const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
  const [reason] = reasons
  if (reason === undefined || drawing.stopping.aborted) return
  for (const fault of reasons) if (!isUnitsFault(fault)) throw fault
  const stage = isDeath(reason) ? 'generate' : 'load model'
  for (const entry of rest) {
    // The first failure may have stopped the run.
    if (drawing.stopping.aborted) return
    await lifeOf(drawing, work, entry).fail(stage, reason)
  }
}

function lifeOf({ services }: Drawing, { model, lives }: ModelWork, entry: PreparedUnit): UnitLife {
  const life = lives.get(entry) ?? createUnitLife(services, model, entry)
  lives.set(entry, life)
  return life
}

/** Whether a model that cannot be drawn fails its own units, and leaves the other models' alone. */
function isUnitsFault(reason: unknown): boolean {
  return reason instanceof PregenError && reason.code !== 'E_PROVIDER_UNAVAILABLE'
}

/** One device's share, its process started again when it dies. @throws what keeps the device from drawing */
async function drawOn(drawing: Drawing, work: ModelWork, device: Device): Promise<void> {
  for (;;) {
    const death = await drawUntilDeath(drawing, work, device)
    if (death === null || drawing.stopping.aborted) return
    if (!device.mayRestart()) throw death
    const message = `${death.message} It is started again.`
    drawing.services.warn({ code: 'W_WORKER_DIED', message })
  }
}

/** @returns why the device's process ended, or null when there is nothing left to draw */
async function drawUntilDeath(
  drawing: Drawing,
  work: ModelWork,
  device: Device,
): Promise<PregenError | null> {
  let opened: OpenedModel | null = null
  try {
    const before = performance.now()
    const { model } = work
    const opening = device.open({
      path: model.folder.path,
      pipeline: model.pipeline,
      previewDecoder: model.previewDecoder,
      provider: drawing.options.provider ?? model.provider ?? 'auto',
      threads: drawing.options.threads,
      spillFolder: drawing.services.layout.state.folder,
    })
    // The codec starts here while the worker opens the model.
    ;[opened] = await Promise.all([opening, loadSharp()])
    await drawOpened(drawing, work, { device, opened, openMs: performance.now() - before })
    return opened.death()
  } catch (error) {
    if (isDeath(error)) return error
    throw error
  } finally {
    // After a stop or a fault too: sessions and the prompts' scratch file go before anything else is loaded.
    await opened?.close()
  }
}

/** A model where it is loaded. */
type OpenedOn = { readonly device: Device; readonly opened: OpenedModel }

async function drawOpened(
  drawing: Drawing,
  work: ModelWork,
  { device, opened, openMs }: OpenedOn & { readonly openMs: number },
): Promise<void> {
  const { model, units } = work
  const { services, stopping: signal } = drawing
  const jobs = new Map<string, PromptJob>()
  for (const { unit } of units) {
    const job = promptJobOf(unit)
    if (!jobs.has(job.key)) jobs.set(job.key, job)
  }
  const encoding = { prompts: [...jobs.values()], keepEncoders: false }
  const text = await opened.call('encode', encoding, { signal })
  for (const warning of promptWarnings(work, text.prompts)) services.warn(warning)
  if (signal.aborted) return
  const withVaeEncoder = units.some(
    ({ unit: { image, images, video } }) => (image ?? images ?? video) !== undefined,
  )
  const denoiser = await opened.call('load-denoiser', { withVaeEncoder })
  const loadMs = openMs + text.loadMs + denoiser.loadMs
  drawing.noteModelLoad(loadMs)
  const { provider, device: name } = opened
  services.emit({
    type: 'model-loaded',
    model: model.id,
    provider,
    device: name,
    durationMs: Math.round(loadMs),
  })
  const prompts = new Map(text.prompts.map((prompt) => [prompt.key, prompt]))
  await drawBatches(drawing, work, { device, opened }, prompts)
}

/** Each names the units that it is of. What is cut off has been told with the plan, where the family's facts say how. */
function promptWarnings({ model, units }: ModelWork, prompts: readonly EncodedPrompt[]): PrepareWarning[] {
  const isTold = familyOf(model.facts.family).cuts !== undefined
  return prompts.flatMap(({ key, warnings }) => {
    const news = warnings.filter(({ code }) => !(isTold && code === 'W_PROMPT_TRUNCATED'))
    if (news.length === 0) return []
    const names = nameUnits(units.flatMap(({ unit }) => (promptJobOf(unit).key === key ? [unit] : [])))
    return news.map(({ code, message }) => ({ code, message: `${names}: ${message}` }))
  })
}

async function drawBatches(
  drawing: Drawing,
  work: ModelWork,
  { device, opened }: OpenedOn,
  prompts: ReadonlyMap<string, EncodedPrompt>,
): Promise<void> {
  const { stopping } = drawing
  const { units, lives } = work
  const tokensOf = ({ unit }: PreparedUnit) => prompts.get(promptJobOf(unit).key)?.tokens ?? 0
  work.queue ??= createBatchQueue(groupIntoBatches(units, tokensOf))
  const { queue } = work
  const open = pLimit(OPEN_BATCHES)
  const queued = pLimit(QUEUED_BATCHES)
  const claimPromptMs = promptTimes(prompts)

  const drawBatch = async (batch: readonly UnitLife[]): Promise<void> => {
    const drawn = await queued(() => generateBatch(opened, batch, stopping))
    if (drawn.type === 'pictures') {
      device.resetDeaths()
      const finish = (life: UnitLife, place: number) => {
        const picture = drawn.pictures[place]
        if (!picture) throw new Error(`a batch of ${batch.length} gave ${drawn.pictures.length} pictures`)
        return life.finish(picture, claimPromptMs(life), batch.length)
      }
      await Promise.all(batch.map(finish))
    } else if (drawn.type === 'cancelled') {
      await Promise.all(batch.map((life) => life.abandon()))
    } else if (drawn.type === 'died') {
      const again = await Promise.all(batch.map((life) => giveBackOrFail(life, drawn.death)))
      queue.giveBack(batch.flatMap(({ entry }, place) => (again[place] ? [entry] : [])))
    } else if (batch.length > 1) {
      // One picture's NaN, or memory for several at once, must not cost the neighbours theirs.
      for (const life of batch) {
        await life.giveBack('drawn alone, because its batch failed')
        await drawBatch([life])
      }
    } else {
      for (const life of batch) await life.fail('generate', drawn.reason)
    }
  }

  // Started one after the other, so that units are drawn in the order of the sheet.
  const inWork: Promise<void>[] = []
  for (;;) {
    await belowLimit(open)
    const batch = stopping.aborted ? null : await queue.take()
    if (batch === null) break
    // Without a worker nothing can be drawn: what earlier runs left of the rest is not touched.
    if (stopping.aborted || opened.death() !== null) {
      queue.giveBack(batch)
      queue.settle()
      break
    }
    const ready: UnitLife[] = []
    for (const entry of batch) {
      const life = lifeOf(drawing, work, entry)
      if (await isDrawable(life, prompts, opened)) ready.push(life)
    }
    const settle = () => {
      for (const entry of batch) if (lives.get(entry)?.state() !== 'queued') lives.delete(entry)
      queue.settle()
    }
    if (ready.length > 0) inWork.push(open(() => drawBatch(ready)).finally(settle))
    else settle()
  }
  await Promise.all(inWork)
}

/** false: the unit has failed by now, or waits for another run after a stop. */
async function isDrawable(
  life: UnitLife,
  prompts: ReadonlyMap<string, EncodedPrompt>,
  opened: OpenedModel,
): Promise<boolean> {
  const prompt = prompts.get(promptJobOf(life.entry.unit).key)
  if (prompt?.error) await life.fail('text encode', prompt.error)
  if (!prompt || prompt.error) return false
  return await life.prepare(opened.provider)
}

async function giveBackOrFail(life: UnitLife, death: PregenError): Promise<boolean> {
  if (life.state() === 'drawing' && life.beginnings() >= MAX_BEGINNINGS) {
    await life.fail('generate', death)
    return false
  }
  await life.giveBack(`drawn again, because ${death.message}`)
  return true
}

/** Waits until the limiter would start another task at once. */
async function belowLimit(limit: LimitFunction): Promise<void> {
  // A task of our own gets its turn exactly when there is room.
  await limit(() => undefined)
}
