/** What the queue holds, sheet by sheet; giving up a sheet, and trying again what was given up. */
import type { Job, Queue } from 'bullmq'
import { PregenError } from '../errors.ts'
import type { QueueClient } from './connect.ts'
import { addFlow } from './enqueue.ts'
import { parseUnitJob, type SheetState, type UnitJob } from './job.ts'
import type { JobProgress } from './jobs-in-hand.ts'
import { ENDS_QUEUE, endJobId, unitJobId, unitsQueue } from './names.ts'
import { forgetSheet, listSheets, readSheetRecord, readStanding, writeStanding } from './sheet-store.ts'

export interface ActiveJob extends Partial<JobProgress> {
  readonly machine: string
  /** Since when, ISO 8601. */
  readonly since: string | null
}

export interface FailedJob {
  /** Places of its units in the sheet. */
  readonly units: readonly number[]
  readonly tries: number
  readonly error: string
}

export interface QueuedSheet {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly state: SheetState
  readonly submitted: string
  readonly ended: string | null
  /** Jobs: those that wait for another try among the waiting ones. */
  readonly waiting: number
  readonly done: number
  readonly failed: number
  readonly active: readonly ActiveJob[]
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

export async function listQueue(client: QueueClient): Promise<readonly QueuedSheet[]> {
  return await withQueues(client, async (queues, ends) => {
    const jobs = await Promise.all(
      queues.map(async (queue) => ({
        active: await ofSheets(await queue.getActive(0, AT_ONCE)),
        failed: await ofSheets(await queue.getFailed(0, AT_ONCE)),
      })),
    )
    const active = jobs.flatMap((one) => one.active)
    const failed = jobs.flatMap((one) => one.failed)
    const sheets: QueuedSheet[] = []
    for (const id of await listSheets(client)) {
      const [record, standing] = [await readSheetRecord(client, id), await readStanding(client, id)]
      if (standing === null) continue
      const end = (await ends.getJob(endJobId(id))) as Job | undefined
      const counts = end && (await end.getDependenciesCount())
      const own = active.filter(({ sheet }) => sheet === id).map(({ job }) => activeOf(job))
      const failures = failed.filter(({ sheet }) => sheet === id)
      sheets.push({
        ...{ id, name: record.name, version: record.version, state: standing.state },
        ...{ submitted: record.submitted, ended: standing.ended },
        waiting: Math.max(0, (counts?.unprocessed ?? 0) - own.length),
        done: counts?.processed ?? 0,
        failed: Math.max(failures.length, counts?.ignored ?? 0),
        active: own,
        failures: failures.slice(0, SHOWN).map(({ job, units }) => ({
          ...{ units: units.map(([index]) => index), tries: job.attemptsMade, error: job.failedReason },
        })),
        ...{ whole: standing.whole, missing: standing.missing },
      })
    }
    return sheets
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

/** Takes a sheet out: what waits is dropped, what is in work is finished, and there is no end. @returns jobs dropped */
export async function cancelSheet(client: QueueClient, wanted: string): Promise<number> {
  const id = await findSheet(client, wanted)
  return await withQueues(client, async (queues, ends) => {
    await writeStanding(client, id, { state: 'cancelled' })
    const end = (await ends.getJob(endJobId(id))) as Job | undefined
    const left = (await end?.getDependenciesCount())?.unprocessed ?? 0
    // Its jobs first: an end without them would be free to go.
    await end?.removeUnprocessedChildren()
    const inWork = (
      await Promise.all(queues.map(async (queue) => await ofSheets(await queue.getActive(0, AT_ONCE))))
    )
      .flat()
      .filter(({ sheet }) => sheet === id).length
    if (end !== undefined && (await end.isActive()) === false)
      await ends.remove(endJobId(id), { removeChildren: false })
    if (inWork === 0) await forgetSheet(client, id)
    return Math.max(0, left - inWork)
  })
}

/** Puts a sheet's jobs that were given up in again. @returns how many */
export async function retrySheet(client: QueueClient, wanted: string): Promise<number> {
  const id = await findSheet(client, wanted)
  const failed = await withQueues(client, async (queues) => {
    const found: { readonly queueName: string; readonly job: Job }[] = []
    for (const queue of queues)
      for (const { sheet, job } of await ofSheets(await queue.getFailed(0, -1)))
        if (sheet === id) found.push({ queueName: queue.name, job })
    return found
  })
  if (failed.length === 0) return 0
  await writeStanding(client, id, { state: 'queued' })
  const jobs = failed.map(({ queueName, job }) => {
    const { priority, attempts, backoff, removeOnComplete, ignoreDependencyOnFailure, stackTraceLimit } =
      job.opts
    const opts = { priority, attempts, backoff, removeOnComplete, ignoreDependencyOnFailure, stackTraceLimit }
    return { name: job.name, queueName, data: job.data, opts: { ...opts, jobId: ownId(job) } }
  })
  // A stranger's job comes back under the id that its units give it.
  for (const { job } of failed) if (job.id !== ownId(job)) await job.remove()
  await addFlow(client, id, jobs)
  return jobs.length
}

function ownId({ data }: Job): string {
  const { sheet, units } = parseUnitJob(data)
  return unitJobId(sheet, units)
}

/** A sheet by the beginning of its id, or by its version where one alone has it. @throws PregenError `E_QUEUE_SHEET` */
async function findSheet(client: QueueClient, wanted: string): Promise<string> {
  const found: string[] = []
  for (const id of await listSheets(client)) {
    if (id.startsWith(wanted) || (await readSheetRecord(client, id)).version === wanted) found.push(id)
  }
  const [id, ...others] = found
  if (id !== undefined && others.length === 0 && wanted !== '') return id
  const what = others.length > 0 ? `${found.length} sheets` : 'no sheet'
  throw new PregenError('E_QUEUE_SHEET', `The queue has ${what} that ${JSON.stringify(wanted)} could mean.`, {
    help: '"pregen jobs --queue …" lists them; the first digits of an id are enough.',
  })
}

async function withQueues<T>(
  { bull, options, redis, keys }: QueueClient,
  use: (queues: readonly Queue[], ends: Queue) => Promise<T>,
): Promise<T> {
  const models = Object.keys(await redis.hgetall(keys.models))
  const queues = models.map((model) => new bull.Queue(unitsQueue(model), options))
  const ends = new bull.Queue(ENDS_QUEUE, options)
  try {
    return await use(queues, ends)
  } finally {
    await Promise.all([...queues, ends].map((queue) => queue.close()))
  }
}

interface JobOfSheet {
  readonly job: Job
  readonly sheet: string
  readonly units: UnitJob['units']
}

/** What is no job of ours is nobody's sheet. */
async function ofSheets(jobs: readonly unknown[]): Promise<JobOfSheet[]> {
  return (jobs as readonly Job[]).flatMap((job) => {
    try {
      const { sheet, units } = parseUnitJob(job.data)
      return [{ job, sheet, units }]
    } catch (error) {
      if (error instanceof PregenError) return []
      throw error
    }
  })
}

function activeOf(job: Job): ActiveJob {
  const progress = typeof job.progress === 'object' ? (job.progress as Partial<JobProgress>) : {}
  const since = job.processedOn === undefined ? null : new Date(job.processedOn).toISOString()
  return { ...progress, machine: job.processedBy ?? progress.machine ?? '?', since }
}
