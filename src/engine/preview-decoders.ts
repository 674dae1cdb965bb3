/** The tiny preview decoders of models on the CPU, each in a process of its own, started when first needed. */
import type { DecodePictures } from '../preview/decoder.ts'
import type { PreviewProcedures, PreviewStart } from './preview-process.ts'
import type { WorkerProcess } from './worker-process.ts'

export type StartPreviewProcess = (start: PreviewStart) => WorkerProcess<PreviewProcedures>

export interface PreviewDecoder {
  /** @throws WorkerError, PregenError `E_WORKER_DIED` */
  readonly decode: DecodePictures
  /** Starts the process ahead of the first preview. */
  readonly warmUp: () => void
  readonly peakRssBytes: () => number
  /** Fails what is in hand. The next preview starts another process. */
  readonly close: () => Promise<void>
}

/** A process that dies fails the previews in its hands; the next preview starts another. */
export function createDecoderProcess(start: PreviewStart, startProcess: StartPreviewProcess): PreviewDecoder {
  let worker: WorkerProcess<PreviewProcedures> | null = null
  let peakRssBytes = 0
  const notePeak = () => {
    peakRssBytes = Math.max(peakRssBytes, worker?.figures().peakRssBytes ?? 0)
  }
  const running = () => {
    if (worker === null || worker.death() !== null) {
      notePeak()
      worker = startProcess(start)
    }
    return worker
  }
  return {
    warmUp: () => void running(),
    decode: async (latents) => await running().call('decode', latents),
    peakRssBytes() {
      notePeak()
      return peakRssBytes
    },
    async close() {
      notePeak()
      const ending = worker
      worker = null
      await ending?.end()
    },
  }
}
