/**
 * What pictures are drawn with: devices, each with its inference process, and the preview decoders of models on the
 * CPU. It outlives runs, and knows nothing of them. Processes start when they are needed.
 */

import type { KnownProviders } from '../model/providers.ts'
import type { DecodePictures } from '../preview/decoder.ts'
import { createDevice, type Device, type InferenceWorker } from './device.ts'
import type { InferenceProcedures, InferenceStart } from './inference-calls.ts'
import type { InferenceEnvironment } from './inference-environment.ts'
import type { InjectionTable } from './injection.ts'
import { createDecoderProcess, type PreviewDecoder } from './preview-decoders.ts'
import type { PreviewProcedures } from './preview-process.ts'
import type { WorkerFigures } from './rpc.ts'
import { startWorkerProcess } from './worker-process.ts'

/** A process that takes the place of one that crashed is spared. */
function withoutCrashes(table: InjectionTable): InjectionTable {
  return Object.fromEntries(Object.entries(table).filter(([, action]) => action !== 'crash'))
}

export interface EngineOptions {
  /** For the worker processes: drivers and libraries read it. */
  readonly env: InferenceEnvironment['env']
  /** What need not be tried any more. */
  readonly known?: KnownProviders | undefined
  /** Device ids of the provider, one inference process each; undefined: one on the provider's first device. */
  readonly devices?: readonly number[] | undefined
  /** Points at which tests break a run; empty in the product. */
  readonly injection?: InjectionTable | undefined
}

export interface Engine {
  readonly devices: readonly Device[]
  /** Starts the processes ahead of the first model. */
  readonly warmUp: () => void
  /** The decoder of a file, in a process of its own, which starts now. @param channels latent channels of the model that it previews */
  readonly previewDecoder: (path: string, channels: number) => DecodePictures
  /** Of all worker processes since the engine was made; peaks are added up. */
  readonly figures: () => WorkerFigures
  /** Ends every process, whatever it is doing. The engine may be used again. */
  readonly close: () => Promise<void>
}

export function createEngine({ env, known = {}, devices = [], injection = {} }: EngineOptions): Engine {
  const startInference = (isAgain: boolean): InferenceWorker => {
    const data: InferenceStart = {
      injection: isAgain ? withoutCrashes(injection) : injection,
      toolPid: process.pid,
      known,
    }
    return startWorkerProcess<InferenceProcedures>({
      module: './inference-process.js',
      label: 'inference',
      data,
      env,
    })
  }
  const ids: readonly (number | undefined)[] = devices.length === 0 ? [undefined] : devices
  const own = ids.map((deviceId, index) => createDevice({ index, deviceId, start: startInference }))
  const decoders = new Map<string, PreviewDecoder>()

  return {
    devices: own,
    warmUp() {
      for (const device of own) device.warmUp()
    },
    previewDecoder(path, channels) {
      const known = decoders.get(path)
      if (known) return known.decode
      const decoder = createDecoderProcess({ path, channels }, (data) =>
        startWorkerProcess<PreviewProcedures>({
          module: './preview-process.js',
          label: 'preview',
          data,
          env,
        }),
      )
      decoder.warmUp()
      decoders.set(path, decoder)
      return decoder.decode
    },
    figures() {
      const parts = own.map((device) => device.figures())
      const sum = (of: (part: WorkerFigures) => number) => parts.reduce((total, part) => total + of(part), 0)
      const decoding = [...decoders.values()].reduce((total, one) => total + one.peakRssBytes(), 0)
      return {
        sessionRunMs: sum((part) => part.sessionRunMs),
        peakRssBytes: decoding + sum((part) => part.peakRssBytes),
      }
    },
    async close() {
      await Promise.all([...own, ...decoders.values()].map((one) => ('end' in one ? one.end() : one.close())))
    },
  }
}
