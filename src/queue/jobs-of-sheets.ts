/** The jobs in all queues of units, and which sheet each is of. */
import type { Job, Queue } from 'bullmq'
import { PregenError } from '../errors.ts'
import type { QueueClient } from './connect.ts'
import { parseUnitJob, type UnitJob } from './job.ts'
import { ENDS_QUEUE, unitsQueue } from './names.ts'

export interface JobOfSheet {
  readonly job: Job
  /** Id. */
  readonly sheet: string
  readonly units: UnitJob['units']
}

/** Opens the queues of all models, and that of the sheets' ends, for as long as they are used. */
export async function withQueues<T>(
  { bull, options, redis, keys }: QueueClient,
  use: (queues: readonly Queue[], ends: Queue) => Promise<T>,
): Promise<T> {
  const models = Object.keys(await redis.hgetall(keys.models))
  const [ends, ...queues] = [ENDS_QUEUE, ...models.map(unitsQueue)].map((name) => {
    const queue = new bull.Queue(name, options)
    // Faults of the connection are told by the client, those of calls by who calls.
    queue.on('error', () => undefined)
    return queue
  })
  try {
    return await use(queues, ends!)
  } finally {
    await Promise.all([...queues, ends!].map((queue) => queue.close()))
  }
}

/** What is no job of ours is nobody's sheet. */
export function ofSheets(jobs: readonly unknown[]): JobOfSheet[] {
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
