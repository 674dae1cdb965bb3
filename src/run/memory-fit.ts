/** Whether what a run draws fits into this machine's memory: told before anything loads. */
import { totalmem } from 'node:os'
import { inferenceEnvironment } from '../engine/inference-environment.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import type { KnownProviders, RequestedProvider } from '../model/providers.ts'
import {
  cannotFit,
  cardWords,
  estimateMemory,
  type MemoryEstimate,
  type PictureShape,
  smallestCard,
  whatFits,
} from '../plan/memory.ts'
import type { Unit } from '../plan/unit.ts'
import type { RunOptions } from './options.ts'
import type { PreparedModel, PreparedRun } from './prepared.ts'

export interface ModelMemory {
  readonly model: string
  /** The picture that takes most. */
  readonly picture: PictureShape
  readonly cpu: MemoryEstimate
  readonly gpu: MemoryEstimate
  /** The smallest graphics card that takes it, in GB; null: none does. */
  readonly cardGb: number | null
}

/** What this process and its children may have: the machine's memory, or its container's. */
export function memoryOfMachine(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** The most that each model takes, in the order of the sheet. */
export function memoryOf(
  { models, units }: Pick<PreparedRun, 'models' | 'units'>,
  batch?: RunOptions['batch'],
): ModelMemory[] {
  return [...models.values()].flatMap((model) => {
    const { memory } = model.facts
    const own = units.filter(({ unit }) => unit.model === model.id)
    // With `auto` memory decides: one is what must fit.
    const pictures = own.map(({ unit }) => pictureOf(unit, batch === 'auto' ? 1 : (batch ?? unit.batch)))
    if (memory === undefined || pictures.length === 0) return []
    const estimates = pictures.map((picture) => {
      const gpu = estimateMemory(memory, picture, 'gpu')
      const cpu = estimateMemory(memory, picture, 'cpu')
      return { model: model.id, picture, cpu, gpu, cardGb: smallestCard(gpu) }
    })
    return [estimates.reduce((most, one) => (one.cpu.peakBytes > most.cpu.peakBytes ? one : most))]
  })
}

function pictureOf({ width, height, guided }: Unit, batch: number): PictureShape {
  return { width, height, batch, guided }
}

/** Providers that the models of a run will be asked to run on. */
export function providersOf(
  { models }: Pick<PreparedRun, 'models'>,
  provider: RequestedProvider | undefined,
): ReadonlySet<RequestedProvider> {
  return new Set([...models.values()].map((model) => requestedBy(model, provider)))
}

function requestedBy(model: PreparedModel, provider: RequestedProvider | undefined): RequestedProvider {
  return provider ?? model.provider ?? 'auto'
}

/** Whether a provider will turn out to be the CPU. Only where that is sure is memory a fault. */
function isCpu(provider: RequestedProvider, known: KnownProviders): boolean {
  if (provider !== 'auto') return provider === 'cpu'
  return process.platform === 'linux' && known.cuda !== undefined && known.cuda.problem !== null
}

export interface FitOptions extends Pick<RunOptions, 'provider' | 'batch'> {
  /** Processes that share the memory. */
  readonly devices?: readonly number[] | undefined
  readonly known: KnownProviders
  /** Default: this machine's. */
  readonly bytes?: number | undefined
}

/** @throws PregenErrors `E_MEMORY_TOO_SMALL` for each model that cannot fit, with what would */
export function requireFit(prepared: Pick<PreparedRun, 'models' | 'units'>, options: FitOptions): void {
  const { known, provider, devices, batch: batchWanted, bytes = memoryOfMachine() } = options
  const each = bytes / Math.max(devices?.length ?? 1, 1)
  const faults = memoryOf(prepared, batchWanted).flatMap(({ model: id, picture, cpu, gpu }) => {
    const model = prepared.models.get(id)
    if (!model?.facts.memory || !isCpu(requestedBy(model, provider), known) || !cannotFit(cpu, each))
      return []
    const { width, height, batch } = picture
    const size = `${width}×${height}${batch > 1 ? `, batch ${batch}` : ''}`
    const what = `Model "${id}" takes about ${gib(cpu.peakBytes)} at ${size} on the CPU; there are ${gib(each)}${(devices?.length ?? 1) > 1 ? ' for each device' : ''}.`
    const fitting = whatFits(model.facts.memory, picture, 'cpu', each)
    const help =
      fitting === null
        ? `Its weights alone take ${gib(cpu.weightBytes)}: use a smaller model, a machine with more memory, or a GPU, where it takes ${gib(gpu.peakBytes)}: ${cardWords(gpu)}.`
        : `This would fit: ${fitting}. On a GPU it takes ${gib(gpu.peakBytes)}: ${cardWords(gpu)}.`
    return [new PregenError('E_MEMORY_TOO_SMALL', what, { help })]
  })
  if (faults.length > 0) throw new PregenErrors(faults)
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

/** As `requireFit`, for a plan, which starts no process. */
export async function requirePlanFits(
  prepared: PreparedRun,
  { env, cacheDir, provider }: Pick<RunOptions, 'env' | 'cacheDir' | 'provider'>,
): Promise<void> {
  const providers = providersOf(prepared, provider)
  const { known } = await inferenceEnvironment({ env, cacheDir, providers })
  requireFit(prepared, { known, provider })
}
