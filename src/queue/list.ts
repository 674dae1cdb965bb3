/** What the queue holds, sheet by sheet: the one account of it, for the command line, the page and metrics. */
import type { Job } from 'bullmq'
import { PregenError } from '../errors.ts'
import type { QueueClient } from './connect.ts'
import type { SheetHead, SheetState } from './job.ts'
import type { JobProgress } from './jobs-in-hand.ts'
import { type JobOfSheet, ofSheets, withQueues } from './jobs-of-sheets.ts'
import { endJobId } from './names.ts'
import { countWanted, listSheets, readSheetHead, readStanding } from './sheet-store.ts'

export interface ActiveJob extends Partial<JobProgress> {
  readonly machine: string
  /** Since when, ISO 8601. */
  readonly since: string | null
}

export interface FailedJob {
  /** Places of its units in the sheet. */
  readonly units: readonly number[]
  /** The unit that it was at, where the job got as far as that. */
  readonly cue?: string | undefined
  readonly variant?: string | undefined
  readonly machine: string | null
  readonly tries: number
  readonly error: string
}

export interface QueuedSheet extends SheetHead {
  readonly id: string
  readonly state: SheetState
  readonly ended: string | null
  /** Units that are wanted of it. */
  readonly units: number
  /** Jobs, since it was last put in: those that wait for another try among the waiting ones. */
  readonly waiting: number
  readonly done: number
  readonly failed: number
  readonly active: readonly ActiveJob[]
  /** The first 50. */
  readonly failures: readonly FailedJob[]
  /** Units at the last end. */
  readonly whole: number | null
  readonly missing: number | null
}

export interface JobCounts {
  /** That any machine may take. */
  readonly waiting: number
  readonly active: number
  /** That wait for another try. */
  readonly delayed: number
  readonly failed: number
}

/** Failures that are told of a sheet. */
const SHOWN = 50
const AT_ONCE = 1000

/** All sheets, the newest last. */
export async function listQueue(client: QueueClient): Promise<readonly QueuedSheet[]> {
  return await withQueues(client, async (queues, ends) => {
    const jobs = await Promise.all(
      queues.map(async (queue) => ({
        active: ofSheets(await queue.getActive(0, AT_ONCE)),
        failed: ofSheets(await queue.getFailed(0, AT_ONCE)),
        hasMore: (await queue.getFailedCount()) > AT_ONCE + 1,
      })),
    )
    const active = jobs.flatMap((one) => one.active)
    const failed = jobs.flatMap((one) => one.failed)
    const hasMore = jobs.some((one) => one.hasMore)
    const look = async (id: string): Promise<QueuedSheet | null> => {
      const [head, standing, units, end] = await Promise.all([
        readHead(client, id),
        readStanding(client, id),
        countWanted(client, id),
        ends.getJob(endJobId(id)) as Promise<Job | undefined>,
      ])
      if (standing === null || head === null) return null
      const counts = await end?.getDependenciesCount()
      const own = active.filter(({ sheet }) => sheet === id).map(activeOf)
      const failures = failed.filter(({ sheet }) => sheet === id)
      return {
        ...{ id, ...head, units, state: standing.state, ended: standing.ended },
        waiting: Math.max(0, (counts?.unprocessed ?? 0) - own.length),
        done: counts?.processed ?? 0,
        // The end counts what has ever failed, also what was tried again since.
        failed: hasMore ? Math.max(failures.length, counts?.ignored ?? 0) : failures.length,
        active: own,
        failures: failures.slice(0, SHOWN).map(failureOf),
        ...{ whole: standing.whole, missing: standing.missing },
      }
    }
    const sheets = await Promise.all((await listSheets(client)).map(look))
    return sheets.filter((sheet) => sheet !== null)
  })
}

/** Jobs of units by their state, whatever sheets they are of. */
export async function countJobs(client: QueueClient): Promise<JobCounts> {
  return await withQueues(client, async (queues) => {
    const found = await Promise.all(
      queues.map((queue) => queue.getJobCounts('wait', 'prioritized', 'active', 'delayed', 'failed')),
    )
    const sum = (...states: readonly string[]) =>
      found.reduce((total, counts) => total + states.reduce((own, state) => own + (counts[state] ?? 0), 0), 0)
    return {
      waiting: sum('wait', 'prioritized'),
      ...{ active: sum('active'), delayed: sum('delayed'), failed: sum('failed') },
    }
  })
}

/** What another program left there hides no sheet of ours. null: it was taken out between two questions. */
export async function readHead(client: QueueClient, id: string): Promise<SheetHead | null> {
  try {
    return await readSheetHead(client, id)
  } catch (error) {
    if (!(error instanceof PregenError)) throw error
    if (error.code === 'E_QUEUE_SHEET') return null
    return { name: '?', version: '?', submitted: new Date(0).toISOString() }
  }
}

function activeOf({ job }: JobOfSheet): ActiveJob {
  const { machine, ...progress } = progressOf(job)
  const since = job.processedOn === undefined ? null : new Date(job.processedOn).toISOString()
  return { ...progress, machine: job.processedBy ?? machine ?? '?', since }
}

function failureOf({ job, units }: JobOfSheet): FailedJob {
  const { cue, variant, machine } = progressOf(job)
  return {
    units: units.map(([index]) => index),
    ...(cue === undefined ? {} : { cue, variant }),
    machine: job.processedBy ?? machine ?? null,
    ...{ tries: job.attemptsMade, error: job.failedReason ?? '' },
  }
}

const TEXTS = ['machine', 'device', 'cue', 'variant'] as const
const NUMBERS = ['step', 'steps'] as const

/** As a worker wrote it, or a stranger: what is of another kind is left out. */
function progressOf({ progress }: Job): Partial<JobProgress> {
  if (typeof progress !== 'object') return {}
  const told: Readonly<Record<string, unknown>> = { ...progress }
  return Object.fromEntries([
    ...TEXTS.flatMap((name) => (typeof told[name] === 'string' ? [[name, told[name]]] : [])),
    ...NUMBERS.flatMap((name) => (Number.isSafeInteger(told[name]) ? [[name, told[name]]] : [])),
  ])
}
