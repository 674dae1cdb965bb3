/** A queue filled and worked at by a test itself, in the calls that `enqueue` and `work` make: no model, no bucket. */
import { hash, randomUUID } from 'node:crypto'
import type { Job } from 'bullmq'
import type { QueueClient } from '../../src/queue/connect.ts'
import { addFlow } from '../../src/queue/enqueue.ts'
import type { UnitJob } from '../../src/queue/job.ts'
import type { JobProgress } from '../../src/queue/jobs-in-hand.ts'
import { unitJobId, unitsQueue } from '../../src/queue/names.ts'
import { saveSheet } from '../../src/queue/sheet-store.ts'

export const MODEL = 'c'.repeat(32)

export interface StagedSheet {
  readonly id: string
  readonly version: string
  readonly name?: string
  readonly units: number
  /** ISO 8601. */
  readonly submitted?: string
}

/** Puts a sheet in, a job a unit. */
export async function stageSheet(client: QueueClient, sheet: StagedSheet): Promise<void> {
  const { id, version, name = 'evening.yaml', units, submitted = new Date().toISOString() } = sheet
  const digestOf = (index: number) => hash('sha256', `${id} ${index}`)
  const wanted = Array.from({ length: units }, (_, index) => [index, digestOf(index)] as [number, string])
  await saveSheet(client, id, {
    record: { v: 1, name, text: 'version: x', rows: {}, version, submitted },
    wanted: new Map(wanted.map(([index, digest]) => [index, { digest, model: MODEL }])),
    models: { [MODEL]: 'tiny' },
  })
  await addFlow(
    client,
    id,
    wanted.map((unit) => ({
      name: 'units',
      queueName: unitsQueue(MODEL),
      data: { v: 1, sheet: id, units: [unit] } satisfies UnitJob,
      opts: {
        ...{ jobId: unitJobId(id, [unit]), priority: 1000, attempts: 3, removeOnComplete: true },
        ...{ ignoreDependencyOnFailure: true, stackTraceLimit: 0 },
      },
    })),
  )
}

export interface StagedHand {
  readonly job: Job
  tell(progress: JobProgress): Promise<void>
  done(): Promise<void>
  /** For good. */
  fail(error: string): Promise<void>
}

/** Takes the next job, as a machine of this name. @param model the key of its queue */
export async function takeNext(client: QueueClient, machine: string, model = MODEL): Promise<StagedHand> {
  const worker = new client.bull.Worker(unitsQueue(model), null, {
    ...client.options,
    ...{ name: machine, autorun: false, lockDuration: 600_000 },
  })
  const token = randomUUID()
  const job = await worker.getNextJob(token, { block: false })
  await worker.close(true)
  if (job === undefined) throw new Error('the queue has no job that waits')
  return {
    job,
    tell: (progress) => job.updateProgress({ ...progress }),
    done: async () => void (await job.moveToCompleted(1, token, false)),
    fail: async (error) =>
      void (await job.moveToFailed(new client.bull.UnrecoverableError(error), token, false)),
  }
}
