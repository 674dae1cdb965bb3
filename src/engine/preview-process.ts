/**
 * The thread of the tiny preview decoder while the denoiser has the CPU provider: it decodes one preview while
 * the next step runs. It never shares a GPU with the inference worker.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { bufferOf } from '../tensor/buffers.ts'
import type { WireError } from './inference-calls.ts'
import { openPreviewSession, type PreviewSession } from './preview-session.ts'
import { toWireError } from './wire-error.ts'

export interface PreviewWorkerStart {
  readonly path: string
  readonly channels: number
}

export interface DecodeRequest {
  readonly id: number
  readonly data: Float32Array
  readonly dims: readonly number[]
}

export type DecodeReply =
  | {
      readonly id: number
      readonly data: Float32Array
      readonly dims: readonly number[]
      readonly error: null
    }
  | { readonly id: number; readonly error: WireError }

if (!parentPort) throw new Error('preview-worker runs in a worker thread')
const port = parentPort
const start: PreviewWorkerStart = workerData
let session: Promise<PreviewSession> | null = null

async function decode({ id, data, dims }: DecodeRequest): Promise<void> {
  try {
    // One thread: the denoiser keeps the rest of the cores.
    session ??= openPreviewSession({
      ...start,
      provider: { name: 'cpu', deviceId: 0, reason: 'previews beside inference on the CPU' },
      threads: 1,
    })
    const picture = await (await session).decode({ data, dims })
    const reply: DecodeReply = { id, data: picture.data, dims: picture.dims, error: null }
    port.postMessage(reply, [bufferOf(picture.data)])
  } catch (error) {
    const reply: DecodeReply = { id, error: toWireError(error) }
    port.postMessage(reply)
  }
}

let queue: Promise<void> = Promise.resolve()
port.on('message', (request: DecodeRequest) => {
  queue = queue.then(() => decode(request))
})
