/** The worker's end: answers calls one after the other, in order, until the process that started it is gone. */
import { PregenError } from '../errors.ts'
import { collectYoung } from './collect-young.ts'
import { type FromWorker, MAX_WITHOUT_RECEIPT, type Procedures, type ToWorker } from './rpc.ts'
import { createSideFile, NO_SIDE_FILE } from './side-file.ts'
import { toWireError } from './wire-error.ts'

export interface CallContext<Notice> {
  /** Whether the call need not be finished, as of a step of less than `UNHEARD_MS` ago at most. */
  readonly isCancelled: () => boolean
  readonly notify: (notice: Notice) => void
  /** As `notify`, for data that must not pile up: waits while as many as allowed are without a receipt. */
  readonly handOut: (...notices: readonly Notice[]) => Promise<void>
  /** Between two steps: lets messages in, which a native call of `UNHEARD_MS` or more has held up. */
  readonly breathe: () => Promise<void>
}

export type Handlers<P extends Procedures<P>> = {
  readonly [Name in keyof P]: (
    input: P[Name]['input'],
    context: CallContext<P[Name]['notice']>,
  ) => Promise<P[Name]['output']>
}

export interface Served<P extends Procedures<P>> {
  readonly handlers: Handlers<P>
  /** Milliseconds inside `session.run` so far. */
  readonly sessionRunMs: () => number
}

/**
 * `session.run` lets messages in before its native part, so quick steps hear of everything one step late; what a turn of one's
 * own costs, a twentieth of a millisecond, is too much for them.
 */
const UNHEARD_MS = 100

/** @param create makes the handlers of what the other side says that the worker is for */
export function serveCalls<P extends Procedures<P>, Start>(create: (data: Start) => Served<P>): void {
  const cancelled = new Set<number>()
  let inWork: number | null = null
  let side = NO_SIDE_FILE
  let served: Served<P> | null = null
  let withoutReceipt = 0
  let whenReceipt: () => void = () => undefined
  let breathedAt = 0
  // One call at a time: two sessions that run at once crash some GPU providers.
  let queue: Promise<void> = Promise.resolve()

  /** Resolves when the message has left this process: the next native call would hold back what has not. */
  const send = (message: FromWorker): Promise<void> =>
    new Promise((resolve) => {
      // Nobody is left to be told of a failure: the process ends with the channel.
      process.send?.(side.put(message), undefined, undefined, () => resolve())
    })
  const contextOf = <Notice>(id: number): CallContext<Notice> => ({
    isCancelled: () => cancelled.has(id),
    notify: (notice) => void send({ kind: 'notices', id, notices: [notice], wantReceipts: false }),
    async handOut(...notices) {
      while (withoutReceipt >= MAX_WITHOUT_RECEIPT && !cancelled.has(id)) {
        await new Promise<void>((resolve) => {
          whenReceipt = resolve
        })
      }
      withoutReceipt += notices.length
      await send({ kind: 'notices', id, notices, wantReceipts: true })
    },
    async breathe() {
      const before = breathedAt
      breathedAt = performance.now()
      if (breathedAt - before >= UNHEARD_MS) await hear()
    },
  })

  const call = <Name extends keyof P>(name: Name, input: P[Name]['input'], id: number) => {
    if (served === null) throw new Error('the worker was not told what it is for')
    return served.handlers[name](input, contextOf(id))
  }

  const answer = async (id: number, name: keyof P, input: unknown): Promise<void> => {
    const figures = () => ({
      sessionRunMs: served?.sessionRunMs() ?? 0,
      // Node gives kilobytes.
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    })
    try {
      // What was said while the call before held everything up counts.
      await hear()
      if (cancelled.has(id)) throw cancellation()
      inWork = id
      const output = await call(name, input, id)
      await send({ kind: 'answer', id, output, figures: figures() })
    } catch (error) {
      await send({ kind: 'fault', id, error: toWireError(error), figures: figures() })
    }
    inWork = null
    cancelled.delete(id)
    collectYoung()
  }

  process.on('message', (sent) => {
    // Sent by this module's own other half.
    const message = side.take(sent) as ToWorker
    switch (message.kind) {
      case 'start':
        if (message.sideFile !== null) side = createSideFile(message.sideFile, 'worker')
        // Sent by this module's own other half, for the worker that it started.
        served = create(message.data as Start)
        break
      case 'call': {
        const { id, name, input } = message
        queue = queue.then(() => answer(id, name as keyof P, input))
        break
      }
      case 'cancel':
        cancelled.add(message.id)
        whenReceipt()
        break
      case 'drop':
        if (message.id !== inWork) cancelled.add(message.id)
        break
      case 'receipt':
        withoutReceipt -= message.count
        whenReceipt()
        break
    }
  })
  // Ctrl-C reaches every process of a terminal: this one ends when the one that started it says so, or is gone.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1']) process.on(name, () => undefined)
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
}

/** One turn of the event loop: what was said meanwhile is heard, and what was answered has left. */
function hear(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function cancellation(): PregenError {
  return new PregenError('E_CANCELLED', 'Stopped before it was begun.', { exitCode: 3 })
}
