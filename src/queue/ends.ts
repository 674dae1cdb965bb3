/** Every worker ends sheets, whatever models it has: the sheet's last job waits for all others, and any machine takes it. */
import { messageOf } from '../errors.ts'
import { plural } from '../printable.ts'
import type { QueueClient } from './connect.ts'
import { endSheet } from './end-sheet.ts'
import { parseEndJob } from './job.ts'
import { ENDS_QUEUE } from './names.ts'
import { writeStanding } from './sheet-store.ts'
import type { Workplace } from './workplace.ts'

export interface ServeEndsOptions {
  readonly client: QueueClient
  readonly workplace: Workplace
  readonly machine: string
  readonly leaseMs: number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

export interface ServedEnds {
  /** Finishes what is in hand. @returns sheets that were ended here */
  readonly close: () => Promise<number>
}

/** A sheet's end is asked for again and again, on whichever machine lives: nothing else would end it. */
const MAX_STALLS = 1000

export async function serveEnds(options: ServeEndsOptions): Promise<ServedEnds> {
  const { client, workplace, machine, leaseMs, say, signal } = options
  const { WaitingChildrenError, WaitingError, Worker } = client.bull
  let sheets = 0
  const worker = new Worker(
    ENDS_QUEUE,
    async (job, token) => {
      const data = parseEndJob(job.data)
      const mayTryAgain = job.attemptsMade + 1 < (job.opts.attempts ?? 1)
      const end = await endSheet({ client, workplace, job: data, mayTryAgain, signal }).catch(
        async (error: unknown) => {
          if (!signal.aborted) throw error
          await job.moveToWait(token)
          throw new WaitingError()
        },
      )
      // More of the sheet came while it was ended: its end comes after that.
      if (await job.moveToWaitingChildren(token ?? '')) {
        await writeStanding(client, data.sheet, { state: 'queued' })
        throw new WaitingChildrenError()
      }
      const { version, whole, missing } = end
      sheets++
      const lacks = missing.length === 0 ? '' : `, ${missing.length} missing`
      say(`${version} has ended: ${plural(whole, 'unit')} whole${lacks}`)
    },
    {
      ...client.options,
      ...{ name: machine, concurrency: 1, lockDuration: leaseMs, maxStalledCount: MAX_STALLS },
      ...{ stalledInterval: Math.min(30_000, leaseMs / 4), drainDelay: 1 },
    },
  )
  // The connection's faults are told by the client.
  worker.on('error', () => undefined)
  worker.on('failed', (job, error) => {
    if (signal.aborted) return
    const message = `The end of sheet ${String(job?.data?.sheet).slice(0, 8)}… failed, and is tried again: ${messageOf(error)}`
    workplace.warn({ code: 'W_QUEUE_END', message })
  })
  await worker.waitUntilReady()
  let closing: Promise<number> | undefined
  return {
    close() {
      closing ??= worker.close().then(() => sheets)
      return closing
    },
  }
}
