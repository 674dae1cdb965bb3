/** A visit to the queue of one model: its jobs are taken one by one and drawn, until there is reason to leave. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PregenError } from '../errors.ts'
import { drawFed } from '../run/draw-model.ts'
import type { Drawing } from '../run/drawing.ts'
import { requireFit } from '../run/memory-fit.ts'
import type { PreparedUnit } from '../run/prepared.ts'
import type { UnitServices } from '../run/unit-life.ts'
import { type QueueClient, untilAnswered } from './connect.ts'
import type { Hand } from './hand.ts'
import { createJobsInHand, type JobEnd, type JobsInHand } from './jobs-in-hand.ts'
import { stalledAfter } from './lease.ts'
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

const IDLE_MS = { first: 50, most: 1000 }
const URGENT_EVERY_MS = 5000
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
  const { session, onEnded } = options
  const hands = createJobsInHand({ client, worker, workplace, machine, leaseMs, session, onEnded })

  const isOver = () => stopping.aborted || options.draining.aborted || hands.refusal() !== null
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
      const job = await untilAnswered(() => worker.getNextJob(token, { block: false }))
      if (job !== undefined) {
        options.onTaken()
        const entries = await hands.accept(job, token)
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

  // At once: a step in work may take longer than this machine has.
  const onStop = () => void hands.returnUndrawn()
  stopping.addEventListener('abort', onStop, { once: true })

  try {
    await worker.startStalledCheckTimer()
    let first = await take()
    if (first !== null) {
      const [entry] = first
      const hand = entry && hands.of(entry)
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
          createLife: (unit) => handOf(hands, unit).createLife(unit),
          settled: (unit, state) => hands.of(unit)?.settled(unit, state),
        })
      } catch (error) {
        if (!(error instanceof PregenError)) throw error
        hands.refuse(error)
      }
    }
    await hands.returnUndrawn()
    // What is drawn is on its way to the bucket.
    const ended = hands.concluded()
    await Promise.race([ended, untilStopped(stopping)])
    if (stopping.aborted) await Promise.race([ended, sleep(STOPPED_SENDING_MS)])
    return hands.refusal()
  } finally {
    stopping.removeEventListener('abort', onStop)
    await hands.returnAll()
    hands.end()
    await worker.close(true)
  }
}

function handOf(hands: JobsInHand, entry: PreparedUnit): Hand {
  const hand = hands.of(entry)
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
