/**
 * All units of one model, shared out over the engine's devices as each gets free: prompts first, then every picture.
 * Keeps a device's queue filled, so that it never waits for a disk, and holds only a few units at a time, so that memory
 * never waits for one either.
 */

import { spreadsOverCards } from '../engine/choose-devices.ts'
import { type Device, isDeath, type OpenedModel } from '../engine/device.ts'
import { isWrongProvider } from '../engine/wire-error.ts'
import { PregenError } from '../errors.ts'
import { loadSharp } from '../images/load-sharp.ts'
import { optimizedRoot } from '../model/optimized.ts'
import { createFedQueue } from './batch-queue.ts'
import { drawBatches, type OpenedOn } from './draw-batches.ts'
import { type Drawing, lifeOf, type ModelWork, type UnitFeed } from './drawing.ts'
import { loadModel } from './load-model.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'
import { promptJobOf } from './prompt-key.ts'
import { createPrompts } from './prompts.ts'
import { createSharedTexts } from './shared-texts.ts'
import { warmPreviews } from './step-pictures.ts'

/**
 * Every unit is drawn, has failed, or is left after a stop.
 * @throws PregenError `E_PROVIDER_UNAVAILABLE`; every other fault is a unit's
 */
export async function drawModel(
  drawing: Drawing,
  model: PreparedModel,
  units: readonly PreparedUnit[],
): Promise<void> {
  const devices = devicesFor(drawing, model)
  const { folder } = drawing.services.layout.state
  const sharedTexts = devices.length > 1 ? createSharedTexts(folder) : null
  const work = workOn(devices, { model, units, feed: null, queue: null, sharedTexts })
  const reasons = await drawOnAll(drawing, work, devices)
  await sharedTexts?.close()
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
  const devices = devicesFor(drawing, model)
  const work = workOn(devices, { model, units: [], feed, queue: createFedQueue(feed), sharedTexts: null })
  const reasons = await drawOnAll(drawing, work, devices)
  for (const life of work.lives.values()) if (life.state() === 'queued') await life.abandon()
  if (reasons.length === devices.length && !drawing.ending.aborted) throw reasons[0]
}

function workOn(
  devices: readonly Device[],
  given: Pick<ModelWork, 'model' | 'units' | 'feed' | 'queue' | 'sharedTexts'>,
): ModelWork {
  let tellLead: ModelWork['tellLead'] = () => undefined
  const lead: ModelWork['lead'] = new Promise((resolve) => {
    tellLead = resolve
  })
  return { ...given, devices: devices.length, lives: new Map(), sizes: new Map(), lead, tellLead }
}

/** @returns what kept devices from drawing */
async function drawOnAll(drawing: Drawing, work: ModelWork, devices: readonly Device[]): Promise<unknown[]> {
  // What an earlier model did to a device is not this one's fault.
  for (const device of devices) device.resetDeaths()
  const isOneOfSeveral = devices.length > 1
  const share = (device: Device) =>
    drawOn(drawing, work, device).catch((error: unknown) => {
      if (isOneOfSeveral) tellLeftOut(drawing, device, error)
      // Of all cards that there are, one that the model cannot run on is no fault.
      if (drawing.options.devices !== 'all' || device.index === 0 || !isWrong(error)) throw error
    })
  const ends = await Promise.allSettled(devices.map(share))
  return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
}

/** With `all`, the cards: what does not run on them has one device. */
function devicesFor({ devices, options }: Drawing, model: PreparedModel): readonly Device[] {
  const isForCards = options.devices !== 'all' || spreadsOverCards(requestedProvider(options, model))
  return isForCards ? devices : devices.slice(0, 1)
}

function requestedProvider(options: Drawing['options'], model: PreparedModel) {
  return options.provider ?? model.provider ?? 'auto'
}

/** What `auto` finds on the first device is what all are asked for: no run draws half on a card and half on the CPU. */
async function providerOn({ options }: Drawing, { model, lead }: ModelWork, device: Device) {
  const requested = requestedProvider(options, model)
  if (requested !== 'auto' || device.index === 0) return requested
  return (await lead) ?? requested
}

/** Whether a model that cannot be drawn fails its own units, and leaves the other models' alone. */
function isUnitsFault(reason: unknown): boolean {
  return reason instanceof PregenError && !isWrong(reason)
}

function isWrong(reason: unknown): boolean {
  return reason instanceof PregenError && isWrongProvider(reason.code)
}

/** One device's share, its process started again when it dies. @throws what keeps the device from drawing */
async function drawOn(drawing: Drawing, work: ModelWork, device: Device): Promise<void> {
  for (;;) {
    const end = await drawUntilDeath(drawing, work, device)
    if (end === null || drawing.ending.aborted) return
    if (end === 'again') continue
    if (!device.mayRestart()) throw end
    const message = `${end.message} It is started again.`
    drawing.services.warn({ code: 'W_WORKER_DIED', message })
  }
}

/** The others go on without it. */
function tellLeftOut({ services, ending }: Drawing, { index }: Device, error: unknown): void {
  if (!(error instanceof PregenError) || ending.aborted) return
  services.warn({ code: 'W_DEVICE_LEFT_OUT', message: `Device ${index} draws no more: ${error.message}` })
}

/** Why a device draws no more: its process ended, it is to begin anew, or nothing is left. */
type DrawingEnd = PregenError | 'again' | null

async function drawUntilDeath(drawing: Drawing, work: ModelWork, device: Device): Promise<DrawingEnd> {
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
      provider: await providerOn(drawing, work, device),
      threads: drawing.options.threads,
      optimizedRoot: keptGraphs(model, cacheDir),
      spillFolder: drawing.services.layout.state.folder,
    })
    // The codec starts here while the worker opens the model.
    ;[opened] = await Promise.all([opening, loadSharp()])
    if (device.index === 0) work.tellLead(opened.provider)
    tellChoice(drawing, opened)
    return await drawOpened(drawing, work, { device, opened, openMs: performance.now() - before })
  } catch (error) {
    if (isDeath(error)) return error
    throw error
  } finally {
    if (device.index === 0) work.tellLead(null)
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

async function drawOpened(
  drawing: Drawing,
  work: ModelWork,
  { device, opened, openMs }: OpenedOn & { readonly openMs: number },
): Promise<DrawingEnd> {
  const { model, units } = work
  const { services, ending: signal } = drawing
  // The previews' process starts while the device loads.
  const warming = async () => warmPreviews(units, model, opened.provider, services.previewDecoder)
  const [loaded] = await Promise.all([loadModel(drawing, work, opened), warming()])
  if (loaded === null || loaded === 'again') return loaded
  const loadMs = openMs + loaded.loadMs
  drawing.noteModelLoad(loadMs)
  const { provider, device: name } = opened
  services.emit({
    type: 'model-loaded',
    model: model.id,
    provider,
    device: name,
    prompts: loaded.encoded,
    durationMs: Math.round(loadMs),
  })
  const { feed, lives } = work
  const inUse = () => new Set([...lives.keys()].map(({ unit }) => promptJobOf(unit).key))
  const own = { model, units, isFed: feed !== null, inUse, warn: services.warn, signal }
  const prompts = createPrompts(own, opened, loaded.texts)
  await drawBatches(drawing, work, { device, opened }, prompts)
  return opened.death()
}
