/** A worker: goes from model to model while there is work, draws, sends, confirms, and ends sheets. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queue, Worker } from 'bullmq'
import type { Engine } from '../engine/engine.ts'
import { messageOf, type PregenError } from '../errors.ts'
import type { EmitRunEvent } from '../run/events.ts'
import { type QueueClient, untilAnswered } from './connect.ts'
import { serveEnds } from './ends.ts'
import type { JobEnd } from './jobs-in-hand.ts'
import { LEASE_MS, stalledAfter } from './lease.ts'
import { ENDS_QUEUE, unitsQueue } from './names.ts'
import { openSheetSession, type SheetSession } from './sheet-session.ts'
import { readSheetRecord } from './sheet-store.ts'
import { visitQueue } from './visit.ts'
import { openWorkplace, type WorkSettings } from './workplace.ts'

export interface WorkOptions extends WorkSettings {
  /** What others see of who draws. */
  readonly machine: string
  /** Ends when the queue has no job left, waiting or in work anywhere, that this machine could draw. */
  readonly endsWhenEmpty: boolean
  /** Ends after so many jobs. */
  readonly maxJobs?: number | undefined
  /** Ends when there was nothing to do for so long. */
  readonly idleTimeoutMs?: number | undefined
  /** Default two minutes. */
  readonly leaseMs?: number | undefined
  readonly emit: EmitRunEvent
  readonly say: (line: string) => void
  readonly onJobEnded?: ((end: JobEnd) => void) | undefined
  /** Handed what tells the engine's figures, before the first job. */
  readonly onEngine?: ((figures: Engine['figures']) => void) | undefined
  /** Aborted: what is in hand goes back. */
  readonly signal: AbortSignal
  /** Aborted: what is in hand is finished first. */
  readonly draining: AbortSignal
}

export interface WorkSummary {
  /** Jobs that were taken, by how they ended. */
  readonly jobs: Readonly<Record<JobEnd['outcome'], number>>
  /** Units that were drawn here. */
  readonly drawn: number
  /** Films of them that could not be made. */
  readonly filmsFailed: number
  /** Sheets that were ended here. */
  readonly sheets: number
  /** Models that this machine cannot draw with. */
  readonly refused: number
}

const LOOK_MS = 1000
/** Sheets that are held ready. */
const MAX_SESSIONS = 16

/** @throws PregenError `E_LOCKED` and its kin before the first job; later faults are a job's, a model's or a warning */
export async function workQueue(client: QueueClient, options: WorkOptions): Promise<WorkSummary> {
  const { emit, say, draining, leaseMs = LEASE_MS } = options
  const workplace = await openWorkplace(options, emit)
  options.onEngine?.(workplace.engine.figures)
  const signal = AbortSignal.any([options.signal, workplace.lost])
  const sessions = createSessions(client, workplace, signal)
  const refused = new Map<string, PregenError>()
  const jobs = { done: 0, failed: 0, 'given-up': 0, 'given-back': 0, lost: 0 }
  let taken = 0
  let drawn = 0
  let filmsFailed = 0
  let busyAt = performance.now()
  const queues = createQueues(client, leaseMs)
  const ends = await serveEnds({ client, workplace, leaseMs, say, machine: options.machine, signal })
  const mayTake = () => options.maxJobs === undefined || taken < options.maxJobs

  /** Models of jobs that wait, the most urgent first. */
  const waiting = async (): Promise<readonly WaitingModel[]> => {
    const models = Object.keys(await client.redis.hgetall(client.keys.models))
    const own = models.filter((model) => !refused.has(model))
    const found = await Promise.all(own.map((model) => queues.first(model)))
    return found.filter((one) => one !== null).sort((a, b) => a.priority - b.priority || a.since - b.since)
  }
  /** Whether anything of what this machine could draw waits, or is in work anywhere. */
  const isEmpty = async (): Promise<boolean> => {
    const models = Object.keys(await client.redis.hgetall(client.keys.models))
    const own = models.filter((model) => !refused.has(model)).map(unitsQueue)
    const left = await Promise.all([...own, ENDS_QUEUE].map((name) => queues.unfinished(name)))
    return left.every((count) => count === 0)
  }
  const isTimeUp = () =>
    options.idleTimeoutMs !== undefined && performance.now() - busyAt > options.idleTimeoutMs
  const mayGo = async () => isTimeUp() || (options.endsWhenEmpty && (await untilAnswered(isEmpty)))

  const visit = async ({ model }: WaitingModel): Promise<void> => {
    const refusal = await visitQueue({
      ...{ client, workplace, model, machine: options.machine, leaseMs, mayTake, draining, stopping: signal },
      session: sessions.open,
      onTaken: () => {
        taken++
        busyAt = performance.now()
      },
      onEnded: (end) => {
        jobs[end.outcome]++
        drawn += end.drawn
        filmsFailed += end.filmsFailed
        busyAt = performance.now()
        options.onJobEnded?.(end)
      },
      async mayLeave() {
        if (await mayGo()) return true
        return (await untilAnswered(waiting)).some((other) => other.model !== model)
      },
      async isUrgentElsewhere() {
        const [most, ...others] = await untilAnswered(waiting)
        const here = [most, ...others].find((one) => one?.model === model)
        return most !== undefined && here !== undefined && most.priority < here.priority
      },
    })
    if (refusal === null) return
    refused.set(model, refusal)
    const message = `This machine takes no more jobs of a model (${model.slice(0, 8)}…): ${messageOf(refusal)}`
    workplace.warn({ code: 'W_MODEL_REFUSED', message })
  }

  try {
    while (!signal.aborted && !draining.aborted && mayTake()) {
      const [next] = await untilAnswered(waiting)
      if (next !== undefined) await visit(next)
      else if (await mayGo()) break
      else
        await sleep(LOOK_MS, undefined, { signal: AbortSignal.any([signal, draining]) }).catch(
          () => undefined,
        )
    }
    return { jobs, drawn, filmsFailed, refused: refused.size, sheets: await ends.close() }
  } finally {
    await ends.close()
    await sessions.close()
    await queues.close()
    await workplace.close()
  }
}

interface WaitingModel {
  readonly model: string
  readonly priority: number
  /** Milliseconds since 1970. */
  readonly since: number
}

/** What waits where. Jobs of machines that died are looked for too, also where this one draws nothing. */
function createQueues({ bull, options }: QueueClient, leaseMs: number) {
  const queues = new Map<string, Queue>()
  const watches = new Map<string, Worker>()
  const watchStalled = async (name: string): Promise<void> => {
    if (watches.has(name)) return
    const watch = new bull.Worker(name, null, {
      ...options,
      ...{ autorun: false, lockDuration: leaseMs, ...stalledAfter(leaseMs) },
    })
    watch.on('error', () => undefined)
    watches.set(name, watch)
    await watch.startStalledCheckTimer()
  }
  const queueOf = (name: string): Queue => {
    const queue = queues.get(name) ?? new bull.Queue(name, options)
    // Told by the client.
    if (!queues.has(name)) queue.on('error', () => undefined)
    queues.set(name, queue)
    return queue
  }
  return {
    async first(model: string): Promise<WaitingModel | null> {
      const queue = queueOf(unitsQueue(model))
      if ((await queue.getActiveCount()) > 0) await watchStalled(queue.name)
      const [job] = [...(await queue.getWaiting(0, 0)), ...(await queue.getPrioritized(0, 0))]
      return job ? { model, priority: job.opts.priority ?? 0, since: job.timestamp } : null
    },
    async unfinished(name: string): Promise<number> {
      const counts = await queueOf(name).getJobCounts('wait', 'prioritized', 'delayed', 'active')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    async close(): Promise<void> {
      await Promise.all([...watches.values()].map((watch) => watch.close(true)))
      await Promise.all([...queues.values()].map((queue) => queue.close()))
    },
  }
}

/** Sheets are read once, and a few are held. */
function createSessions(
  client: QueueClient,
  workplace: Parameters<typeof openSheetSession>[2],
  signal: AbortSignal,
) {
  const sessions = new Map<string, Promise<SheetSession>>()
  const closeQuietly = async (session: Promise<SheetSession>) => {
    // One that did not open has nothing to close.
    await (await session.catch(() => null))?.close()
  }
  return {
    async open(id: string): Promise<SheetSession> {
      let session = sessions.get(id)
      if (session === undefined) {
        session = readSheetRecord(client, id).then((record) =>
          openSheetSession(id, record, workplace, signal),
        )
        // What was wrong may be right the next time.
        session.catch(() => sessions.delete(id))
      } else sessions.delete(id)
      sessions.set(id, session)
      const [oldest] = sessions
      if (sessions.size > MAX_SESSIONS && oldest !== undefined) {
        sessions.delete(oldest[0])
        void closeQuietly(oldest[1])
      }
      return await session
    },
    async close(): Promise<void> {
      await Promise.all([...sessions.values()].map(closeQuietly))
    },
  }
}

/** The worst that happened, as an exit code. */
export function exitCodeOfWork({ jobs, refused, filmsFailed }: WorkSummary): 0 | 3 {
  return jobs['given-up'] + refused + filmsFailed > 0 ? 3 : 0
}
