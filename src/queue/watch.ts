/**
 * The queue as a server looks at it, for as long as it serves: a queue that is away is told at once, and looked for until
 * it is back. Whoever asks in the same moment shares one answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, PregenError } from '../errors.ts'
import { cancelSheet, retrySheet } from './change.ts'
import {
  type ConnectOptions,
  connectQueue,
  isAway,
  parseAddress,
  type QueueClient,
  unreachable,
} from './connect.ts'
import { countJobs, type JobCounts, listQueue, type QueuedSheet } from './list.ts'

/** All of it @throws PregenError `E_QUEUE_UNREACHABLE` while the queue is away. */
export interface QueueWatch {
  readonly list: () => Promise<readonly QueuedSheet[]>
  readonly count: () => Promise<JobCounts>
  /** @returns jobs put in again @throws PregenError `E_QUEUE_SHEET` */
  readonly retry: (sheet: string) => Promise<number>
  /** @returns jobs taken out @throws PregenError `E_QUEUE_SHEET` */
  readonly cancel: (sheet: string) => Promise<number>
  readonly close: () => Promise<void>
}

const AGAIN_MS = 2000
/** Viewers wait no longer for an answer; changes of many jobs take longer than a look. */
const PATIENCE_MS = { look: 3000, change: 15_000 }

/**
 * Does not wait for the queue: a server has more to show than that.
 * @throws PregenError `E_QUEUE_ADDRESS`
 */
export function watchQueue(
  address: string,
  { say = () => undefined, warn }: Pick<ConnectOptions, 'say' | 'warn'>,
): QueueWatch {
  const { description } = parseAddress(address)
  const closing = new AbortController()
  let client: QueueClient | null = null
  let fault: unknown = new Error('not connected yet')
  const connected = (async () => {
    for (let told = ''; !closing.signal.aborted; ) {
      try {
        client = await connectQueue(address, { say, warn, signal: closing.signal })
        if (told !== '') say(`the queue ${description} is there`)
        return
      } catch (error) {
        fault = error
        if (closing.signal.aborted) return
        if (messageOf(error) !== told) say(`${messageOf(error).replace(/\.$/, '')}; looking for it`)
        told = messageOf(error)
        await sleep(AGAIN_MS, undefined, { signal: closing.signal }).catch(() => undefined)
      }
    }
  })()

  const ask = async <T>(patienceMs: number, question: (own: QueueClient) => Promise<T>): Promise<T> => {
    if (client === null) throw fault instanceof PregenError ? fault : unreachable(description, fault)
    if (client.redis.status !== 'ready') throw unreachable(description, new Error('it is away'))
    const late = new AbortController()
    try {
      return await Promise.race([question(client), tooLate(patienceMs, late.signal, description)])
    } catch (error) {
      if (isAway(error) || isRefusal(error)) throw unreachable(description, error)
      throw error
    } finally {
      late.abort()
    }
  }
  const shared = <T>(question: (own: QueueClient) => Promise<T>): (() => Promise<T>) => {
    let asking: Promise<T> | null = null
    return () => {
      asking ??= ask(PATIENCE_MS.look, question).finally(() => {
        asking = null
      })
      return asking
    }
  }
  return {
    list: shared(listQueue),
    count: shared(countJobs),
    retry: (sheet) => ask(PATIENCE_MS.change, (own) => retrySheet(own, sheet)),
    cancel: (sheet) => ask(PATIENCE_MS.change, (own) => cancelSheet(own, sheet)),
    async close() {
      closing.abort()
      await connected
      await client?.close()
    },
  }
}

/** What Redis itself says no with: too little memory, a replica, rights. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

/** A machine that has vanished answers nothing, for minutes. */
async function tooLate(ms: number, signal: AbortSignal, description: string): Promise<never> {
  await sleep(ms, undefined, { signal })
  throw unreachable(description, new Error(`no answer in ${ms / 1000} s`))
}
