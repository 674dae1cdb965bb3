/** One device that pictures are drawn on: its inference process, started when needed and again when it died. */
import { PregenError } from '../errors.ts'
import type { PassedOver, ProviderName } from '../model/providers.ts'
import type { InferenceProcedures, OpenModel } from './inference-calls.ts'
import type { WorkerFigures } from './rpc.ts'
import type { WorkerCallOptions, WorkerProcess } from './worker-process.ts'

export type InferenceWorker = WorkerProcess<InferenceProcedures>

/** A model on a device, for as long as the process that holds it lives. */
export interface OpenedModel {
  /** What it runs on: `cpu`, `cuda`, … */
  readonly provider: ProviderName
  /** `cpu:0`, `cuda:1`: the name of the device in events. */
  readonly device: string
  /** Better providers that `auto` found not to work. */
  readonly passedOver: readonly PassedOver[]
  /** As `WorkerProcess.call`. */
  readonly call: <Name extends 'encode' | 'adopt' | 'load-denoiser' | 'generate' | 'forget'>(
    name: Name,
    input: InferenceProcedures[Name]['input'],
    options?: WorkerCallOptions<InferenceProcedures[Name]['notice']>,
  ) => Promise<InferenceProcedures[Name]['output']>
  readonly death: () => PregenError | null
  /** Frees sessions, conditioning and scratch file. Does nothing when the process is gone. */
  readonly close: () => Promise<void>
}

export interface Device {
  /** Place among the engine's devices, from 0. */
  readonly index: number
  /** Starts the process, which loads ONNX Runtime, and no model before it is told to. */
  readonly warmUp: () => void
  /**
   * Opens a model; one that was open is closed.
   * @throws WorkerError, PregenError `E_PROVIDER_UNAVAILABLE`; `E_WORKER_DIED` when the process dies, or has died too
   *   often in a row
   */
  readonly open: (request: Omit<OpenModel, 'deviceId'>) => Promise<OpenedModel>
  /** Whether a process that died may be started again. */
  readonly mayRestart: () => boolean
  /** Deaths before this count no more: a picture was drawn, or another model is to be. */
  readonly resetDeaths: () => void
  /** Of all its processes, dead and living. */
  readonly figures: () => WorkerFigures
  readonly end: () => Promise<void>
}

/** Deaths of a device's process in a row, without a picture drawn between, after which it is given up. */
const MAX_DEATHS = 4

export interface DeviceOptions {
  readonly index: number
  /** Of the provider; undefined: its first. */
  readonly deviceId: number | undefined
  /** @param isAgain whether one of this device died before */
  readonly start: (isAgain: boolean) => InferenceWorker
}

export function createDevice({ index, deviceId, start }: DeviceOptions): Device {
  let worker: InferenceWorker | null = null
  let deaths = 0
  let lastDeath: PregenError | null = null
  let past: WorkerFigures = { sessionRunMs: 0, peakRssBytes: 0 }

  const figures = (): WorkerFigures => {
    const now = worker?.figures()
    return {
      sessionRunMs: past.sessionRunMs + (now?.sessionRunMs ?? 0),
      peakRssBytes: Math.max(past.peakRssBytes, now?.peakRssBytes ?? 0),
    }
  }
  const dropDead = (): void => {
    const death = worker?.death() ?? null
    if (death === null) return
    past = figures()
    worker = null
    deaths++
    lastDeath = death
  }
  const running = (): InferenceWorker => {
    dropDead()
    if (worker === null && deaths >= MAX_DEATHS && lastDeath) throw lastDeath
    worker ??= start(lastDeath !== null)
    return worker
  }

  return {
    index,
    warmUp: () => void running(),
    async open(request) {
      const own = running()
      const { provider, deviceId: id, passedOver } = await own.call('open', { ...request, deviceId })
      return {
        provider,
        passedOver,
        // Two processes on one CPU are two devices.
        device: `${provider}:${provider === 'cpu' ? index : id}`,
        call: own.call,
        death: own.death,
        async close() {
          if (own.death() === null) await own.call('close', null)
        },
      }
    },
    mayRestart() {
      dropDead()
      return deaths < MAX_DEATHS
    },
    resetDeaths() {
      dropDead()
      deaths = 0
    },
    figures,
    async end() {
      past = figures()
      const ending = worker
      worker = null
      await ending?.end()
    },
  }
}

/** Whether the worker process died, which says nothing of what it was asked. */
export function isDeath(error: unknown): error is PregenError {
  return error instanceof PregenError && error.code === 'E_WORKER_DIED'
}
