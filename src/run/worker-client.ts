/**
 * The conductor's end of the inference worker: requests with answers, news while they are in work, and one
 * clear error for everything that is pending when the worker dies.
 */
import { Worker } from 'node:worker_threads'
import { messageOf, PregenError } from '../errors.ts'
import {
  CONTROL,
  type FromWorker,
  type ToWorker,
  type WorkerNews,
  type WorkerRequest,
  type WorkerResults,
  type WorkerStart,
} from './messages.ts'
import { WorkerError } from './wire-error.ts'

export interface InferenceWorker {
  /** Requests are answered in order. @throws WorkerError */
  readonly request: <T extends WorkerRequest>(
    request: T,
    transfer?: readonly ArrayBuffer[],
  ) => Promise<WorkerResults[T['type']]>
  /** Time that the worker spent inside `session.run` so far. */
  readonly sessionRunMs: () => number
  /** One handed-out preview is finished: lets a waiting worker go on. */
  readonly previewFinished: () => void
  /** Asks for a stop before the next denoiser call. */
  readonly stop: () => void
  /** Ends the thread. Resolves when it is gone, which a step in work may delay. */
  readonly terminate: () => Promise<void>
}

export type InferenceWorkerOptions = Omit<WorkerStart, 'control'> & {
  readonly onNews: (news: WorkerNews) => void
}

export function startInferenceWorker({ onNews, ...start }: InferenceWorkerOptions): InferenceWorker {
  const control = new SharedArrayBuffer(CONTROL.slots * Int32Array.BYTES_PER_ELEMENT)
  const slots = new Int32Array(control)
  const workerData: WorkerStart = { ...start, control }
  const worker = new Worker(new URL('./inference-worker.js', import.meta.url), { workerData })
  const pending = new Map<
    number,
    { resolve: (value: never) => void; reject: (reason: unknown) => void; stage: string }
  >()
  let nextId = 1
  let runMs = 0
  let deathCause: PregenError | null = null

  const die = (why: string, cause?: unknown) => {
    deathCause ??= new PregenError('E_WORKER_DIED', `The inference worker ended: ${why}.`, {
      cause,
      exitCode: 3,
      help: 'Out of memory is the usual reason. What was finished is kept: run the same command again to go on.',
    })
    for (const { reject } of pending.values()) reject(deathCause)
    pending.clear()
  }
  worker.on('error', (error) => die(messageOf(error), error))
  worker.on('exit', (code) => die(`it left with code ${code}`))
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'news') return onNews(message.news)
    const waiting = pending.get(message.id)
    pending.delete(message.id)
    runMs = message.sessionRunMs
    if (!waiting) return
    // The worker answers a request with the result that WorkerResults names for its type.
    if (message.type === 'done') waiting.resolve(message.result as never)
    else waiting.reject(new WorkerError(message.error, waiting.stage))
  })

  return {
    request: (request, transfer = []) =>
      new Promise((resolve, reject) => {
        if (deathCause) return reject(deathCause)
        const id = nextId++
        pending.set(id, { resolve, reject, stage: request.type })
        const message: ToWorker = { ...request, id }
        worker.postMessage(message, [...transfer])
      }),
    sessionRunMs: () => runMs,
    previewFinished() {
      Atomics.sub(slots, CONTROL.pendingPreviews, 1)
      Atomics.notify(slots, CONTROL.pendingPreviews)
    },
    stop() {
      Atomics.store(slots, CONTROL.stop, 1)
      // A worker that waits for previews must wake up to see the stop.
      Atomics.notify(slots, CONTROL.pendingPreviews)
    },
    async terminate() {
      worker.removeAllListeners('exit')
      await worker.terminate()
    },
  }
}
