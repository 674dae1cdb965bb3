/** A visit to the queue of one model: its jobs are taken one by one and drawn, until there is reason to leave. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from 'bullmq'
import { messageOf, PregenError } from '../errors.ts'
import { drawFed } from '../run/draw-model.ts'
import type { Drawing } from '../run/drawing.ts'
import { requireFit } from '../run/memory-fit.ts'
import type { PreparedUnit } from '../run/prepared.ts'
import type { UnitServices } from '../run/unit-life.ts'
import { patiently, type QueueClient } from './connect.ts'
import { type Hand, takeInHand } from './hand.ts'
import { parseUnitJob } from './job.ts'
import { keepLeases, renewLease, stalledAfter } from './lease.ts'
import { unitsQueue } from './names.ts'
import type { SheetSession } from './sheet-session.ts'
import type { Workplace } from './workplace.ts'

export interface VisitOptions {
  readonly client: QueueClient
  readonly workplace: Workplace
  /** Key of the model. */
  readonly model: string
  /** What others see of who draws. */
  readonly machine: string
  readonly leaseMs: number
  readonly session: (sheet: string) => Promise<SheetSession>
  /** Whether another job may be taken. */
  readonly mayTake: () => boolean
  readonly onTaken: () => void
  readonly onEnded: (end: JobEnd) => void
  /** Asked while the queue has nothing: whether there is something better to do than to wait with the model loaded. */
  readonly mayLeave: () => Promise<boolean>
  /** Asked now and then: whether another model's jobs are more urgent than what comes next here. */
  readonly isUrgentElsewhere: () => Promise<boolean>
  /** Aborted: what is in hand goes back. */
  readonly stopping: AbortSignal
  /** Aborted: what is in hand is finished, and nothing more is taken. */
  readonly draining: AbortSignal
}

export interface JobEnd {
  readonly outcome: 'done' | 'failed' | 'given-up' | 'given-back' | 'lost'
  readonly units: number
  readonly drawn: number
  readonly filmsFailed: number
}

/** Faults of the machine, not of the unit: another one may have more memory. */
const MACHINE_FAULTS: ReadonlySet<string> = new Set([
  'E_OUT_OF_MEMORY',
  'E_GPU_OUT_OF_MEMORY',
  'E_ATTENTION_MEMORY',
])

const NOTHING_DONE = { units: 0, drawn: 0, filmsFailed: 0 }
const IDLE_MS = { first: 50, most: 1000 }
const URGENT_EVERY_MS = 5000
const PROGRESS_EVERY_MS = 1000
// Of the seven seconds that a stop may take.
const STOPPED_SENDING_MS = 4000

/** @returns why this machine cannot draw this model's jobs, which are back in the queue; null: it can, and has left */
export async function visitQueue(options: VisitOptions): Promise<PregenError | null> {
  const { client, workplace, model, machine, leaseMs, stopping } = options
  const worker = new client.bull.Worker(unitsQueue(model), null, {
    ...client.options,
    ...{ name: machine, autorun: false, lockDuration: leaseMs, ...stalledAfter(leaseMs) },
  })
  // Faults of the connection are told by the client, those of calls by who calls.
  worker.on('error', () => undefined)
  const hands = new Set<Hand>()
  const ofEntry = new Map<PreparedUnit, Hand>()
  const concluding = new Set<Promise<void>>()
  let refusal: PregenError | null = null

  const leases = keepLeases(worker, leaseMs, ({ job, token }) => {
    for (const hand of hands) if (hand.token === token) hand.letGo()
    workplace.warn({
      code: 'W_LEASE_LOST',
      message: `The lease on job ${job.id} ran out: another machine has it, and nothing more is done for it here.`,
    })
  })
  const giveBack = async ({ job, token }: Pick<Hand, 'job' | 'token'>): Promise<void> => {
    await patiently(() => job.moveToWait(token))
  }
  const endOf = (hand: Hand, outcome: JobEnd['outcome']) => {
    hands.delete(hand)
    leases.drop(hand)
    for (const entry of hand.toDraw) ofEntry.delete(entry)
    const counts = { units: hand.toDraw.length, drawn: hand.drawn(), filmsFailed: hand.filmsFailed() }
    options.onEnded({ outcome, ...counts })
  }
  const conclude = async (hand: Hand, error: PregenError | null): Promise<void> => {
    if (!hands.has(hand)) return
    if (hand.isLetGo()) return endOf(hand, 'lost')
    try {
      if (error !== null && MACHINE_FAULTS.has(error.code)) {
        refusal ??= error
        await giveBack(hand)
        return endOf(hand, 'given-back')
      }
      if (error === null) {
        await patiently(() => hand.job.moveToCompleted(hand.drawn(), hand.token, false))
        return endOf(hand, 'done')
      }
      endOf(hand, await failJob(client, hand, error))
    } catch (thrown) {
      // The lease was lost between: what was sent is what the other machine will find.
      endOf(hand, 'lost')
      workplace.warn({
        code: 'W_LEASE_LOST',
        message: `Job ${hand.job.id} is no longer this machine's: ${messageOf(thrown)}`,
      })
    }
  }

  /** The units of a job that are to be drawn; none where it is dealt with already. */
  const accept = async (job: Job, token: string): Promise<readonly PreparedUnit[]> => {
    const taken = { job, token }
    // From the first moment: a sheet may take its time to be read.
    leases.add(taken)
    let hand: Hand
    try {
      if (job.deferredFailure)
        throw new PregenError('E_QUEUE_STALLED', `Given up: ${job.deferredFailure}.`, { exitCode: 3 })
      const { sheet, units, force = false } = parseUnitJob(job.data)
      const session = await options.session(sheet)
      const entries = units.map(([index, digest]) => unitOf(session, index, digest))
      const holds = () => renewLease(worker, taken, leaseMs)
      const onStep = progressOf(job, machine)
      hand = await takeInHand({ ...taken, session, entries, force, holds, onStep }, workplace)
    } catch (error) {
      leases.drop(taken)
      if (!(error instanceof PregenError)) throw error
      if (error instanceof NotHere || error.errors.every(({ code }) => code === 'E_NO_ENCODER')) {
        refusal = error
        await giveBack(taken)
        options.onEnded({ outcome: 'given-back', ...NOTHING_DONE })
        return []
      }
      options.onEnded({ outcome: await failJob(client, taken, error), ...NOTHING_DONE })
      workplace.warn({
        code: 'W_QUEUE_JOB',
        message: `Job ${job.id} cannot be drawn here: ${messageOf(error)}`,
      })
      return []
    }
    hands.add(hand)
    for (const entry of hand.toDraw) ofEntry.set(entry, hand)
    const concluded = hand.outcome.then((error) => conclude(hand, error))
    concluding.add(concluded)
    void concluded.finally(() => concluding.delete(concluded))
    return hand.toDraw
  }

  const isOver = () => stopping.aborted || options.draining.aborted || refusal !== null
  let lookedAt = performance.now()
  const isUrgent = async (): Promise<boolean> => {
    if (performance.now() - lookedAt < URGENT_EVERY_MS) return false
    lookedAt = performance.now()
    return await options.isUrgentElsewhere()
  }
  const takeNext = async (): Promise<readonly PreparedUnit[] | null> => {
    let idleMs = IDLE_MS.first
    for (;;) {
      if (isOver() || !options.mayTake() || (await isUrgent())) return null
      const token = randomUUID()
      const job = await patiently(() => worker.getNextJob(token, { block: false }))
      if (job !== undefined) {
        options.onTaken()
        const entries = await accept(job, token)
        if (entries.length > 0) return entries
        idleMs = IDLE_MS.first
        continue
      }
      if (await options.mayLeave()) return null
      const signal = AbortSignal.any([stopping, options.draining])
      await sleep(idleMs, undefined, { signal }).catch(() => undefined)
      idleMs = Math.min(idleMs * 2, IDLE_MS.most)
    }
  }
  // One device asks after the other: each job goes to one.
  let turn: Promise<unknown> = Promise.resolve()
  const take = (): Promise<readonly PreparedUnit[] | null> => {
    const next = turn.then(takeNext)
    turn = next.catch(() => undefined)
    return next
  }

  const handBack = async (hand: Hand): Promise<void> => {
    if (!hands.has(hand)) return
    const isOurs = !hand.isLetGo()
    hand.letGo()
    endOf(hand, isOurs ? 'given-back' : 'lost')
    // One that cannot be given back goes to another machine when its lease runs out.
    if (isOurs) await giveBack(hand).catch(() => undefined)
  }
  const returnUndrawn = async (): Promise<void> => {
    await Promise.all([...hands].filter((hand) => hand.isUndrawn()).map(handBack))
  }
  // At once: a step in work may take longer than this machine has.
  const onStop = () => void returnUndrawn()
  stopping.addEventListener('abort', onStop, { once: true })

  try {
    await worker.startStalledCheckTimer()
    let first = await take()
    if (first !== null) {
      const [entry] = first
      const hand = entry && ofEntry.get(entry)
      const prepared = entry && hand?.session.prepared.models.get(entry.unit.model)
      if (!entry || !hand || !prepared) throw new Error('a job was taken without a unit or a model')
      try {
        const { known, engine, settings } = workplace
        const devices = engine.devices.map(({ index }) => index)
        const fit = { known, provider: settings.provider, batch: undefined, devices }
        requireFit({ models: new Map([[prepared.id, prepared]]), units: first }, fit)
        await drawFed(drawingOf(options, hand), prepared, {
          async take() {
            const own = first
            first = null
            return own ?? (await take())
          },
          createLife: (unit) => handOf(ofEntry, unit).createLife(unit),
          settled: (unit, state) => ofEntry.get(unit)?.settled(unit, state),
        })
      } catch (error) {
        if (!(error instanceof PregenError)) throw error
        refusal ??= error
      }
    }
    await returnUndrawn()
    // What is drawn is on its way to the bucket.
    const ended = Promise.all(concluding)
    await Promise.race([ended, untilStopped(stopping)])
    if (stopping.aborted) await Promise.race([ended, sleep(STOPPED_SENDING_MS)])
    return refusal
  } finally {
    stopping.removeEventListener('abort', onStop)
    await Promise.all([...hands].map(handBack))
    leases.end()
    await worker.close(true)
  }
}

/** Whether a model, or the very unit, is not to be had on this machine. */
class NotHere extends PregenError {}

function unitOf(session: SheetSession, index: number, digest: string): PreparedUnit {
  const entry = session.units.get(index)
  if (entry === undefined) {
    const [why] = session.absent
    if (why === undefined) {
      throw new PregenError('E_QUEUE_JOB', `The sheet has no unit ${index}.`, { exitCode: 3 })
    }
    throw new NotHere(why.code, why.message, { help: why.help, location: why.location, exitCode: 3 })
  }
  if (entry.digest === digest) return entry
  const { cue, variant } = entry.unit
  throw new PregenError(
    'E_QUEUE_DIGEST',
    `${cue}/${variant} would become another picture on this machine than the one that was put into the queue.`,
    {
      help: 'Have the same model, pictures, variables and release of pregen here as where the sheet was put in.',
      exitCode: 3,
    },
  )
}

/** A try that failed; after the last one the job is given up. */
async function failJob(
  { bull }: QueueClient,
  { job, token }: Pick<Hand, 'job' | 'token'>,
  error: PregenError,
): Promise<'failed' | 'given-up'> {
  const isLast = error.code === 'E_QUEUE_JOB' || error.code === 'E_QUEUE_STALLED'
  const told = `${error.code}: ${error.message}`
  const fault = isLast ? new bull.UnrecoverableError(told) : new Error(told)
  await patiently(() => job.moveToFailed(fault, token, false))
  return isLast || job.attemptsMade >= (job.opts.attempts ?? 1) ? 'given-up' : 'failed'
}

/** What "pregen jobs" shows of a job in work. */
export interface JobProgress {
  readonly machine: string
  readonly device: string
  readonly cue: string
  readonly variant: string
  readonly step: number
  readonly steps: number
}

function progressOf(job: Job, machine: string): Parameters<typeof takeInHand>[0]['onStep'] {
  let at = -Infinity
  return (event) => {
    const now = performance.now()
    if (event.type === 'step' && now - at < PROGRESS_EVERY_MS) return
    at = now
    const { cue, variant, device, steps } = event
    const progress: JobProgress = {
      machine,
      device,
      cue,
      variant,
      steps,
      step: event.type === 'step' ? event.step : 0,
    }
    // It is for people to look at: a queue that is away costs a line of theirs, no picture.
    job.updateProgress({ ...progress }).catch(() => undefined)
  }
}

function handOf(hands: ReadonlyMap<PreparedUnit, Hand>, entry: PreparedUnit): Hand {
  const hand = hands.get(entry)
  if (hand === undefined) throw new Error(`${entry.key} was drawn for no job`)
  return hand
}

function drawingOf({ workplace, stopping, draining }: VisitOptions, hand: Hand): Drawing {
  const { engine, settings, emit, warn } = workplace
  // What is asked of them outside of a unit's life.
  const services = { emit, warn, layout: hand.session.prepared.layout } as UnitServices
  return {
    ...{ devices: engine.devices, services, options: settings, stopping },
    ending: AbortSignal.any([stopping, draining]),
    noteModelLoad: () => undefined,
  }
}

function untilStopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
