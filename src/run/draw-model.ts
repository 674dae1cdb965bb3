/**
 * All units of one model, shared out over the engine's devices as each gets free: prompts first, then every picture.
 * Keeps a device's queue filled, so that it never waits for a disk, and holds only a few units at a time, so that memory
 * never waits for one either.
 */
import pLimit, { type LimitFunction } from 'p-limit'
import { type Device, isDeath, type OpenedModel } from '../engine/device.ts'
import type { EncodedPrompt, PromptJob } from '../engine/inference-calls.ts'
import { isWrongProvider } from '../engine/wire-error.ts'
import { PregenError } from '../errors.ts'
import { loadSharp } from '../images/load-sharp.ts'
import { optimizedRoot } from '../model/optimized.ts'
import { groupIntoBatches } from '../plan/batches.ts'
import { type BatchQueue, createBatchQueue, createFedQueue, type Feed } from './batch-queue.ts'
import { generateBatch } from './generate-batch.ts'
import type { RunOptions } from './options.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'
import { promptJobOf } from './prompt-key.ts'
import { createPrompts, type Prompts, promptWarnings, startsFromPicture } from './prompts.ts'
import { createUnitLife, type UnitLife, type UnitServices, type UnitState } from './unit-life.ts'
import { createWarmUp } from './warm-up.ts'

// One in the device's hands and one behind it: a unit's end and the next one's start leave no gap.
const QUEUED_BATCHES = 2
// Units of a device whose files are still being written while others are drawn; beyond it the device waits.
const OPEN_BATCHES = 5
// Of units that others could draw, none waits here but the next one.
const OPEN_FED_BATCHES = 3
// A unit whose drawing killed its device twice is not tried a third time.
const MAX_BEGINNINGS = 2

export interface Drawing {
  readonly devices: readonly Device[]
  readonly services: UnitServices
  readonly options: Pick<RunOptions, 'provider' | 'threads'> & Partial<Pick<RunOptions, 'cacheDir'>>
  /** Aborted: the run stops before the next step. */
  readonly stopping: AbortSignal
  /** Aborted: nothing more is begun. With `stopping`, and before it where a run is drained. */
  readonly ending: AbortSignal
  readonly noteModelLoad: (durationMs: number) => void
}

/** Units of one model that come while it is drawn, from a queue that other machines draw from, too. */
export interface UnitFeed extends Feed<PreparedUnit> {
  /** Asked once an entry. */
  readonly createLife: (entry: PreparedUnit) => UnitLife
  /** An entry is dealt with here. What is not told of by the end of drawing was not begun, or was given up by a stop. */
  readonly settled: (entry: PreparedUnit, state: UnitState) => void
}

/** What the devices share while one model is drawn. */
interface ModelWork {
  readonly model: PreparedModel
  /** All of them; none of a feed's, which nobody knows. */
  readonly units: readonly PreparedUnit[]
  readonly feed: UnitFeed | null
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
  const work: ModelWork = { model, units, feed: null, queue: null, lives: new Map() }
  const reasons = await drawOnAll(drawing, work)
  const rest = work.queue?.takeRest() ?? units
  const [reason] = reasons
  if (reason === undefined || drawing.ending.aborted) return
  for (const fault of reasons) if (!isUnitsFault(fault)) throw fault
  const stage = isDeath(reason) ? 'generate' : 'load model'
  for (const entry of rest) {
    // The first failure may have stopped the run.
    if (drawing.ending.aborted) return
    await lifeOf(drawing, work, entry).fail(stage, reason)
  }
}

/**
 * Draws what a feed gives until it gives no more. The model stays loaded, its text encoders too.
 * @throws what keeps every device from drawing this model: the feed's units are not at fault
 */
export async function drawFed(drawing: Drawing, model: PreparedModel, feed: UnitFeed): Promise<void> {
  const work: ModelWork = { model, units: [], feed, queue: createFedQueue(feed), lives: new Map() }
  const reasons = await drawOnAll(drawing, work)
  for (const life of work.lives.values()) if (life.state() === 'queued') await life.abandon()
  if (reasons.length === drawing.devices.length && !drawing.ending.aborted) throw reasons[0]
}

/** @returns what kept devices from drawing */
async function drawOnAll(drawing: Drawing, work: ModelWork): Promise<unknown[]> {
  // What an earlier model did to a device is not this one's fault.
  for (const device of drawing.devices) device.resetDeaths()
  const ends = await Promise.allSettled(drawing.devices.map((device) => drawOn(drawing, work, device)))
  return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
}

function lifeOf({ services }: Drawing, { model, feed, lives }: ModelWork, entry: PreparedUnit): UnitLife {
  const life = lives.get(entry) ?? feed?.createLife(entry) ?? createUnitLife(services, model, entry)
  lives.set(entry, life)
  return life
}

/** Whether a model that cannot be drawn fails its own units, and leaves the other models' alone. */
function isUnitsFault(reason: unknown): boolean {
  return reason instanceof PregenError && !isWrongProvider(reason.code)
}

/** One device's share, its process started again when it dies. @throws what keeps the device from drawing */
async function drawOn(drawing: Drawing, work: ModelWork, device: Device): Promise<void> {
  for (;;) {
    const death = await drawUntilDeath(drawing, work, device)
    if (death === null || drawing.ending.aborted) return
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
    const { cacheDir } = drawing.options
    const opening = device.open({
      path: model.folder.path,
      pipeline: model.pipeline,
      variant: model.variant,
      previewDecoder: model.previewDecoder,
      provider: drawing.options.provider ?? model.provider ?? 'auto',
      threads: drawing.options.threads,
      optimizedRoot: keptGraphs(model, cacheDir),
      spillFolder: drawing.services.layout.state.folder,
    })
    // The codec starts here while the worker opens the model.
    ;[opened] = await Promise.all([opening, loadSharp()])
    tellChoice(drawing, opened)
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

/** Told before anything loads: `auto` takes what works, and says what it would rather have had. */
function tellChoice({ services }: Drawing, { provider, device, passedOver }: OpenedModel): void {
  if (passedOver.length === 0) return
  const reasons = passedOver.map((other) => `${other.provider}: ${other.problem}. ${other.help}`)
  services.emit({ type: 'provider-chosen', provider, device, passedOver: reasons })
}

function keptGraphs({ facts: { graphsFingerprint } }: PreparedModel, cacheDir: string | undefined) {
  if (cacheDir === undefined || graphsFingerprint === undefined) return undefined
  return optimizedRoot(cacheDir, graphsFingerprint)
}

/** A model where it is loaded. */
type OpenedOn = { readonly device: Device; readonly opened: OpenedModel }

async function drawOpened(
  drawing: Drawing,
  work: ModelWork,
  { device, opened, openMs }: OpenedOn & { readonly openMs: number },
): Promise<void> {
  const { model, units } = work
  const { services, ending: signal } = drawing
  const jobs = new Map<string, PromptJob>()
  for (const { unit } of units) {
    const job = promptJobOf(unit)
    if (!jobs.has(job.key)) jobs.set(job.key, job)
  }
  const encoding = { prompts: [...jobs.values()], keepEncoders: work.feed !== null }
  const text = await opened.call('encode', encoding, { signal })
  for (const warning of promptWarnings(work, text.prompts)) services.warn(warning)
  if (signal.aborted) return
  const withVaeEncoder = units.some(startsFromPicture)
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
  const { feed, lives } = work
  const isFed = feed !== null
  const inUse = () => new Set([...lives.keys()].map(({ unit }) => promptJobOf(unit).key))
  const own = { model, units, isFed, inUse, warn: services.warn, signal }
  const prompts = createPrompts(own, opened, text.prompts)
  await drawBatches(drawing, work, { device, opened }, prompts)
}

async function drawBatches(
  drawing: Drawing,
  work: ModelWork,
  { device, opened }: OpenedOn,
  prompts: Prompts,
): Promise<void> {
  const { ending } = drawing
  const { units, lives, feed } = work
  const tokensOf = ({ unit }: PreparedUnit) => prompts.known.get(promptJobOf(unit).key)?.tokens ?? 0
  work.queue ??= createBatchQueue(groupIntoBatches(units, tokensOf))
  const { queue } = work
  const open = pLimit(feed === null ? OPEN_BATCHES : OPEN_FED_BATCHES)
  const queued = pLimit(QUEUED_BATCHES)
  const warmUp = createWarmUp(opened, drawing.services.emit)

  const drawBatch = async (batch: readonly UnitLife[]): Promise<void> => {
    const drawn = await queued(() => generateBatch(opened, batch, { ...drawing, warmUp }))
    if (drawn.type === 'pictures') {
      device.resetDeaths()
      const finish = (life: UnitLife, place: number) => {
        const picture = drawn.pictures[place]
        if (!picture) throw new Error(`a batch of ${batch.length} gave ${drawn.pictures.length} pictures`)
        return life.finish(picture, prompts.claimMs(life), batch.length)
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
    const batch = ending.aborted ? null : await queue.take()
    if (batch === null) break
    // Without a worker nothing can be drawn: what earlier runs left of the rest is not touched.
    if (ending.aborted || opened.death() !== null) {
      queue.giveBack(batch)
      queue.settle()
      break
    }
    const made = batch.map((entry) => lifeOf(drawing, work, entry))
    try {
      await prompts.ready(batch)
    } catch (error) {
      queue.giveBack(batch)
      queue.settle()
      await Promise.all(inWork)
      throw error
    }
    const [own = [], ...others] = feed === null ? [batch] : groupIntoBatches(batch, tokensOf)
    queue.giveBack(others.flat())
    const ready: UnitLife[] = []
    for (const life of made.filter(({ entry }) => own.includes(entry))) {
      if (await isDrawable(life, prompts.known, opened)) ready.push(life)
    }
    const settle = () => {
      for (const entry of own) {
        const state = lives.get(entry)?.state() ?? 'queued'
        if (state === 'queued') continue
        lives.delete(entry)
        if (state !== 'drawing') feed?.settled(entry, state)
      }
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
