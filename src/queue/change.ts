/** Giving up a sheet of the queue, and trying again what was given up. */
import type { Job, Queue } from 'bullmq'
import { PregenError } from '../errors.ts'
import type { QueueClient } from './connect.ts'
import { addFlow } from './enqueue.ts'
import { parseUnitJob } from './job.ts'
import { type JobOfSheet, ofSheets, withQueues } from './jobs-of-sheets.ts'
import { readHead } from './list.ts'
import { endJobId, unitJobId } from './names.ts'
import { forgetSheet, listSheets, writeStanding } from './sheet-store.ts'

/**
 * Takes a sheet out: what waits is dropped, what is in work is finished, what failed is forgotten, and there is no end.
 * @returns jobs dropped
 * @throws PregenError `E_QUEUE_SHEET`
 */
export async function cancelSheet(client: QueueClient, wanted: string): Promise<number> {
  const id = await findSheet(client, wanted)
  return await withQueues(client, async (queues, ends) => {
    await writeStanding(client, id, { state: 'cancelled' })
    const end = (await ends.getJob(endJobId(id))) as Job | undefined
    const left = (await end?.getDependenciesCount())?.unprocessed ?? 0
    // Its jobs first: an end without them would be free to go.
    await end?.removeUnprocessedChildren()
    const inWork = await jobsOf(id, queues, (queue) => queue.getActive(0, -1))
    const failed = await jobsOf(id, queues, (queue) => queue.getFailed(0, -1))
    await Promise.all(failed.map(({ job }) => job.remove()))
    if (end !== undefined && (await end.isActive()) === false)
      await ends.remove(endJobId(id), { removeChildren: false })
    if (inWork.length === 0) await forgetSheet(client, id)
    return Math.max(0, left - inWork.length)
  })
}

/** Puts a sheet's jobs that were given up in again. @returns how many @throws PregenError `E_QUEUE_SHEET` */
export async function retrySheet(client: QueueClient, wanted: string): Promise<number> {
  const id = await findSheet(client, wanted)
  const failed = await withQueues(client, (queues) => jobsOf(id, queues, (queue) => queue.getFailed(0, -1)))
  if (failed.length === 0) return 0
  await writeStanding(client, id, { state: 'queued' })
  const jobs = failed.map(({ job }) => {
    const { priority, attempts, backoff, removeOnComplete, ignoreDependencyOnFailure, stackTraceLimit } =
      job.opts
    const opts = { priority, attempts, backoff, removeOnComplete, ignoreDependencyOnFailure, stackTraceLimit }
    const { queueName, name, data } = job
    return { name, queueName, data, opts: { ...opts, jobId: ownId(job) } }
  })
  // A stranger's job comes back under the id that its units give it.
  for (const { job } of failed) if (job.id !== ownId(job)) await job.remove()
  await addFlow(client, id, jobs)
  return jobs.length
}

async function jobsOf(
  id: string,
  queues: readonly Queue[],
  ask: (queue: Queue) => Promise<readonly unknown[]>,
): Promise<readonly JobOfSheet[]> {
  const found = await Promise.all(queues.map(async (queue) => ofSheets(await ask(queue))))
  return found.flat().filter(({ sheet }) => sheet === id)
}

function ownId({ data }: Job): string {
  const { sheet, units } = parseUnitJob(data)
  return unitJobId(sheet, units)
}

/** A sheet by the beginning of its id, or by its version where one alone has it. @throws PregenError `E_QUEUE_SHEET` */
async function findSheet(client: QueueClient, wanted: string): Promise<string> {
  const found: string[] = []
  for (const id of await listSheets(client)) {
    if (id.startsWith(wanted) || (await readHead(client, id))?.version === wanted) found.push(id)
  }
  const [id, ...others] = found
  if (id !== undefined && others.length === 0 && wanted !== '') return id
  const what = others.length > 0 ? `${found.length} sheets` : 'no sheet'
  throw new PregenError('E_QUEUE_SHEET', `The queue has ${what} that ${JSON.stringify(wanted)} could mean.`, {
    help: '"pregen jobs --queue …" lists them; the first digits of an id are enough.',
  })
}
