/**
 * This end of a worker process: calls with answers, notices while they are in work, and one clear error for everything
 * that is pending when the process dies. A process and not a thread: native code that crashes, or is ended, takes
 * nothing else with it.
 */
import { messageOf, PregenError } from '../errors.ts'
import { type FromWorker, type Procedures, RECEIPT_FOR, type ToWorker, type WorkerFigures } from './rpc.ts'
import { WorkerError } from './wire-error.ts'
import { type StartWorkerChild, startChild, type WorkerChild, type WorkerStart } from './worker-child.ts'

export interface WorkerCallOptions<Notice> {
  /** Aborted: the worker gives the call up at its next step, a quick one at the one after, and answers. */
  readonly signal?: AbortSignal | undefined
  /** Aborted: a call that the worker has not begun is answered at once; one that is in work is finished. */
  readonly unbegun?: AbortSignal | undefined
  /** Told in order. The worker waits for what is handed out until the promise settles. */
  readonly onNotice?: ((notice: Notice) => void | Promise<void>) | undefined
}

export interface WorkerProcess<P extends Procedures<P>> {
  /**
   * Calls are answered in order.
   * @throws WorkerError what went wrong inside; PregenError `E_WORKER_DIED` when there is no worker any more
   */
  readonly call: <Name extends keyof P & string>(
    name: Name,
    input: P[Name]['input'],
    options?: WorkerCallOptions<P[Name]['notice']>,
  ) => Promise<P[Name]['output']>
  /** Why there is no worker any more, or null while there is one. */
  readonly death: () => PregenError | null
  /** As of its last answer. */
  readonly figures: () => WorkerFigures
  /** Ends the process, whatever it is doing. Resolves when it is gone. */
  readonly end: () => Promise<void>
}

const living = new Set<WorkerChild>()

/** Ends every worker at once, for a process that is about to end by a signal. */
export function killAllWorkers(): void {
  for (const child of living) child.kill('SIGKILL')
}

interface Pending {
  readonly name: string
  readonly settle: (output: unknown) => void
  readonly reject: (reason: PregenError) => void
  readonly tell: (notice: unknown) => void | Promise<void>
}

export function startWorkerProcess<P extends Procedures<P>>(
  start: WorkerStart,
  startWith: StartWorkerChild = startChild,
): WorkerProcess<P> {
  const child = startWith(start)
  living.add(child)
  const pending = new Map<number, Pending>()
  const lastWords = collectLastWords(child.stderr)
  let nextId = 1
  let figures: WorkerFigures = { sessionRunMs: 0, peakRssBytes: 0 }
  let death: PregenError | null = null

  const die = (why: string, cause?: unknown) => {
    const said = lastWords()
    death ??= new PregenError('E_WORKER_DIED', `The ${start.label} process ended: ${why}${said}.`, {
      cause,
      exitCode: 3,
      help: 'Out of memory is the usual reason. What was finished is kept: run the same command again to go on.',
    })
    for (const { reject } of pending.values()) reject(death)
    pending.clear()
  }
  const send = (message: ToWorker): void => {
    if (death !== null) return
    child.send(message, (error) => {
      if (error !== null && error !== undefined) die(messageOf(error), error)
    })
  }
  let unacknowledged = 0
  const acknowledge = (): void => {
    unacknowledged++
    if (unacknowledged < RECEIPT_FOR) return
    send({ kind: 'receipt', count: unacknowledged })
    unacknowledged = 0
  }
  const take = (message: FromWorker): void => {
    const call = pending.get(message.id)
    if (message.kind === 'notices') {
      for (const notice of message.notices) {
        const taken = Promise.resolve(call?.tell(notice))
        // Whatever becomes of it, the worker goes on.
        if (message.wantReceipts) void taken.finally(acknowledge)
      }
      return
    }
    figures = message.figures
    pending.delete(message.id)
    if (message.kind === 'answer') call?.settle(message.output)
    else call?.reject(new WorkerError(message.error, call.name))
  }
  const gone = new Promise<void>((resolve) => {
    const leave = (why: string, cause?: unknown) => {
      living.delete(child)
      die(why, cause)
      resolve()
    }
    child.listen({
      message: take,
      // Where there is no process, no exit is told.
      error: (reason) => leave(messageOf(reason), reason),
      exit: (code, signal) => leave(signal === null ? `it left with code ${code}` : `${signal} ended it`),
    })
  })
  send({ kind: 'start', data: start.data, sideFile: child.sideFile })

  return {
    call(name, input, { signal, unbegun, onNotice } = {}) {
      return new Promise((resolve, reject) => {
        if (death) return reject(death)
        const id = nextId++
        const cancel = () => send({ kind: 'cancel', id })
        const drop = () => send({ kind: 'drop', id })
        const settled = () => {
          signal?.removeEventListener('abort', cancel)
          unbegun?.removeEventListener('abort', drop)
        }
        pending.set(id, {
          name,
          settle(output) {
            settled()
            // The worker's module answers by the same table of procedures.
            resolve(output as P[typeof name]['output'])
          },
          reject(reason) {
            settled()
            reject(reason)
          },
          tell: (notice) => onNotice?.(notice as P[typeof name]['notice']),
        })
        send({ kind: 'call', id, name, input })
        if (signal?.aborted) cancel()
        signal?.addEventListener('abort', cancel)
        if (unbegun?.aborted) drop()
        unbegun?.addEventListener('abort', drop)
      })
    },
    death: () => death,
    figures: () => figures,
    async end() {
      child.kill('SIGKILL')
      await gone
    },
  }
}

const LAST_WORDS = 2000

/** What a process wrote on stderr at last, for the message that tells of its end. */
function collectLastWords(stderr: NodeJS.ReadableStream | null): () => string {
  let text = ''
  stderr?.on('data', (chunk: unknown) => {
    text = (text + String(chunk)).slice(-LAST_WORDS)
  })
  return () => {
    const line = text.trim().split('\n').at(-1)?.trim() ?? ''
    return line === '' ? '' : `, and said "${line.slice(0, 300)}"`
  }
}
