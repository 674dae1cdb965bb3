/** The main thread's end of the preview worker: latents in, decoded tensor out, started when first needed. */
import { Worker } from 'node:worker_threads'
import type { DecodeLatents } from '../preview/decoder.ts'
import type { DecodeReply, DecodeRequest, PreviewWorkerStart } from './preview-process.ts'
import { WorkerError } from './wire-error.ts'

export interface PreviewClient {
  readonly decode: DecodeLatents
  readonly close: () => Promise<void>
}

/** As much of a `Worker` as a client needs. */
export interface PreviewThread {
  on(event: 'message', listener: (reply: DecodeReply) => void): unknown
  on(event: 'error' | 'messageerror', listener: (reason: Error) => void): unknown
  on(event: 'exit', listener: (code: number) => void): unknown
  unref(): void
  postMessage(request: DecodeRequest): void
  terminate(): Promise<number>
}

export type StartPreviewThread = (start: PreviewWorkerStart) => PreviewThread

const startThread: StartPreviewThread = (workerData) =>
  new Worker(new URL('./preview-process.js', import.meta.url), { workerData })

interface Pending {
  readonly resolve: (reply: DecodeReply) => void
  readonly reject: (reason: unknown) => void
}

/** A thread with the requests that it alone answers: what it takes down with it is its own. */
interface Running {
  readonly thread: PreviewThread
  readonly pending: Map<number, Pending>
}

/** A thread that dies fails the previews in its hands; the next preview starts another. */
export function createPreviewClient(start: PreviewWorkerStart, startWith = startThread): PreviewClient {
  let running: Running | null = null
  let nextId = 1

  const run = (): Running => {
    const pending = new Map<number, Pending>()
    const own: Running = { thread: startWith(start), pending }
    // The run waits for its previews itself; the thread alone must not keep the process alive.
    own.thread.unref()
    own.thread.on('message', (reply: DecodeReply) => {
      pending.get(reply.id)?.resolve(reply)
      pending.delete(reply.id)
    })
    const fail = (reason: unknown) => {
      for (const { reject } of pending.values()) reject(reason)
      pending.clear()
      if (running === own) running = null
    }
    own.thread.on('error', fail)
    own.thread.on('messageerror', fail)
    own.thread.on('exit', (code) => fail(new Error(`the preview worker left with code ${code}`)))
    return own
  }

  return {
    async decode({ data, dims }) {
      running ??= run()
      const { thread, pending } = running
      const id = nextId++
      const request: DecodeRequest = { id, data, dims }
      const reply = await new Promise<DecodeReply>((resolve, reject) => {
        pending.set(id, { resolve, reject })
        thread.postMessage(request)
      })
      if (reply.error) throw new WorkerError(reply.error, 'preview')
      return { data: reply.data, dims: reply.dims }
    },
    async close() {
      await running?.thread.terminate()
      running = null
    },
  }
}
