/**
 * The conductor's end of the inference worker: requests with answers, news while they are in work, and one
 * clear error for everything that is pending when the worker dies.
 */
import { Worker } from 'node:worker_threads'
import { messageOf, PregenError } from '../errors.ts'
import {
  type AnswerTo,
  CONTROL,
  type FromWorker,
  type ToWorker,
  type WireError,
  type WorkerAnswer,
  type WorkerNews,
  type WorkerRequest,
  type WorkerStart,
} from './inference-calls.ts'
import { WorkerError } from './wire-error.ts'

export interface InferenceWorker {
  /** Who is told what happens while requests are in work; to be set before the first request. */
  readonly listen: (onNews: (news: WorkerNews) => void) => void
  /**
   * Requests are answered in order.
   * @throws WorkerError what went wrong inside; PregenError `E_WORKER_DIED` when there is no worker any more
   */
  readonly request: <T extends WorkerRequest>(request: T) => Promise<AnswerTo<T['type']>>
  /** Why there is no worker any more, or null while there is one. */
  readonly death: () => PregenError | null
  /** Time that the worker spent inside `session.run` so far. */
  readonly sessionRunMs: () => number
  /** One handed-out preview is finished: lets a waiting worker go on. */
  readonly previewFinished: () => void
  /** Asks for a stop before the next denoiser call. */
  readonly stop: () => void
  /** Ends the thread. Resolves when it is gone, which a step in work may delay. */
  readonly terminate: () => Promise<void>
}

/**
 * Of the thread's own heap; tensors lie outside it. V8 would give young objects up to 48 MiB of address space, and keep
 * what it has touched.
 */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 6 } as const

export type InferenceWorkerOptions = Omit<WorkerStart, 'control'>

interface Pending {
  readonly settle: (answer: WorkerAnswer) => void
  readonly fail: (error: WireError) => void
  readonly reject: (reason: PregenError) => void
}

export function startInferenceWorker(start: InferenceWorkerOptions): InferenceWorker {
  const control = new SharedArrayBuffer(CONTROL.slots * Int32Array.BYTES_PER_ELEMENT)
  const slots = new Int32Array(control)
  const workerData: WorkerStart = { ...start, control }
  const worker = new Worker(new URL('./inference-process.js', import.meta.url), {
    workerData,
    resourceLimits: WORKER_LIMITS,
  })
  const pending = new Map<number, Pending>()
  let onNews: (news: WorkerNews) => void = () => undefined
  let nextId = 1
  let runMs = 0
  let death: PregenError | null = null

  const die = (why: string, cause?: unknown) => {
    death ??= new PregenError('E_WORKER_DIED', `The inference worker ended: ${why}.`, {
      cause,
      exitCode: 3,
      help: 'Out of memory is the usual reason. What was finished is kept: run the same command again to go on.',
    })
    for (const { reject } of pending.values()) reject(death)
    pending.clear()
  }
  worker.on('error', (error) => die(messageOf(error), error))
  worker.on('messageerror', (error) => die(messageOf(error), error))
  worker.on('exit', (code) => die(`it left with code ${code}`))
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'news') return onNews(message.news)
    const waiting = pending.get(message.id)
    pending.delete(message.id)
    runMs = message.sessionRunMs
    if (message.type === 'done') waiting?.settle(message.answer)
    else waiting?.fail(message.error)
  })

  return {
    listen(listener) {
      onNews = listener
    },
    request: <T extends WorkerRequest>(request: T) =>
      new Promise<AnswerTo<T['type']>>((resolve, reject) => {
        if (death) return reject(death)
        const id = nextId++
        const type: T['type'] = request.type
        pending.set(id, {
          settle(answer) {
            if (isAnswerTo(answer, type)) resolve(answer)
            else reject(new Error(`"${type}" was answered with another request's answer`))
          },
          fail: (error) => reject(new WorkerError(error, type)),
          reject,
        })
        const message: ToWorker = { ...request, id }
        worker.postMessage(message)
      }),
    death: () => death,
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
      await worker.terminate()
    },
  }
}

function isAnswerTo<T extends WorkerRequest['type']>(answer: WorkerAnswer, type: T): answer is AnswerTo<T> {
  return answer.type === type
}
