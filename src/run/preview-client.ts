/** The main thread's end of the preview worker: latents in, decoded tensor out, started when first needed. */
import { Worker } from 'node:worker_threads'
import type { DecodeLatents } from '../preview/decoder.ts'
import type { DecodeReply, DecodeRequest, PreviewWorkerStart } from './preview-worker.ts'
import { WorkerError } from './wire-error.ts'

export interface PreviewClient {
  readonly decode: DecodeLatents
  readonly close: () => Promise<void>
}

export function createPreviewClient(start: PreviewWorkerStart): PreviewClient {
  const pending = new Map<number, PromiseWithResolversOf<DecodeReply>>()
  let worker: Worker | null = null
  let nextId = 1

  const startWorker = (): Worker => {
    const started = new Worker(new URL('./preview-worker.js', import.meta.url), { workerData: start })
    // The run waits for its previews itself; the thread alone must not keep the process alive.
    started.unref()
    started.on('message', (reply: DecodeReply) => {
      pending.get(reply.id)?.resolve(reply)
      pending.delete(reply.id)
    })
    const fail = (reason: unknown) => {
      for (const { reject } of pending.values()) reject(reason)
      pending.clear()
      worker = null
    }
    started.on('error', fail)
    started.on('exit', (code) => fail(new Error(`the preview worker left with code ${code}`)))
    return started
  }

  return {
    async decode({ data, dims }) {
      worker ??= startWorker()
      const id = nextId++
      const request: DecodeRequest = { id, data, dims }
      const reply = await new Promise<DecodeReply>((resolve, reject) => {
        pending.set(id, { resolve, reject })
        worker?.postMessage(request)
      })
      if (reply.error) throw new WorkerError(reply.error, 'preview')
      return { data: reply.data, dims: reply.dims }
    },
    async close() {
      await worker?.terminate()
      worker = null
    },
  }
}

interface PromiseWithResolversOf<T> {
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}
