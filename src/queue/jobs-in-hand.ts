/** The jobs that a visit has in hand: taken with a lease, and each concluded, given back or lost exactly once. */
import type { Job, Worker } from 'bullmq'
import { messageOf, PregenError } from '../errors.ts'
import type { PreparedUnit } from '../run/prepared.ts'
import { type QueueClient, untilAnswered } from './connect.ts'
import { type Hand, takeInHand } from './hand.ts'
import { parseUnitJob } from './job.ts'
import { keepLeases, renewLease } from './lease.ts'
import type { SheetSession } from './sheet-session.ts'
import type { Workplace } from './workplace.ts'

export interface JobEnd {
  readonly outcome: 'done' | 'failed' | 'given-up' | 'given-back' | 'lost'
  readonly units: number
  readonly drawn: number
  readonly filmsFailed: number
}

export interface JobsInHandOptions {
  readonly client: QueueClient
  readonly worker: Worker
  readonly workplace: Workplace
  /** What others see of who draws. */
  readonly machine: string
  readonly leaseMs: number
  readonly session: (sheet: string) => Promise<SheetSession>
  readonly onEnded: (end: JobEnd) => void
}

export interface JobsInHand {
  /** The units of a job that are to be drawn; none where it is dealt with already. */
  readonly accept: (job: Job, token: string) => Promise<readonly PreparedUnit[]>
  /** The job that a unit was drawn for, as long as that is in hand. */
  readonly of: (entry: PreparedUnit) => Hand | undefined
  /** Why this machine cannot draw this model's jobs; null: nothing is known against it. */
  readonly refusal: () => PregenError | null
  readonly refuse: (error: PregenError) => void
  /** Gives back those of which nothing has been drawn. */
  readonly returnUndrawn: () => Promise<void>
  /** Gives back whatever is left. */
  readonly returnAll: () => Promise<void>
  /** Resolves when all that were accepted until now are concluded. */
  readonly concluded: () => Promise<unknown>
  /** No lease is renewed any more. */
  readonly end: () => void
}

/** Faults of the machine, not of the unit: another one may have more memory. */
const MACHINE_FAULTS: ReadonlySet<string> = new Set([
  'E_OUT_OF_MEMORY',
  'E_GPU_OUT_OF_MEMORY',
  'E_ATTENTION_MEMORY',
])

const NOTHING_DONE = { units: 0, drawn: 0, filmsFailed: 0 }
const PROGRESS_EVERY_MS = 1000

export function createJobsInHand(options: JobsInHandOptions): JobsInHand {
  const { client, worker, workplace, machine, leaseMs } = options
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
    await untilAnswered(() => job.moveToWait(token))
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
        await untilAnswered(() => hand.job.moveToCompleted(hand.drawn(), hand.token, false))
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

  const accept: JobsInHand['accept'] = async (job, token) => {
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

  const handBack = async (hand: Hand): Promise<void> => {
    if (!hands.has(hand)) return
    const isOurs = !hand.isLetGo()
    hand.letGo()
    endOf(hand, isOurs ? 'given-back' : 'lost')
    // One that cannot be given back goes to another machine when its lease runs out.
    if (isOurs) await giveBack(hand).catch(() => undefined)
  }

  return {
    accept,
    of: (entry) => ofEntry.get(entry),
    refusal: () => refusal,
    refuse(error) {
      refusal ??= error
    },
    async returnUndrawn() {
      await Promise.all([...hands].filter((hand) => hand.isUndrawn()).map(handBack))
    },
    async returnAll() {
      await Promise.all([...hands].map(handBack))
    },
    concluded: () => Promise.all(concluding),
    end: () => leases.end(),
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
  const message = `${error.code}: ${error.message}`
  const fault = isLast ? new bull.UnrecoverableError(message) : new Error(message)
  await untilAnswered(() => job.moveToFailed(fault, token, false))
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
