/** The engine of a run: the devices that it draws on, which must hold its models. */
import { chooseDevices } from '../engine/choose-devices.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import { inferenceEnvironment } from '../engine/inference-environment.ts'
import { providersOf, requireFit } from './memory-fit.ts'
import type { RunRequest } from './run-request.ts'

/** @throws PregenError `E_DEVICES`; PregenErrors `E_MEMORY_TOO_SMALL` */
export async function openEngine({
  prepared,
  options,
}: Pick<RunRequest, 'prepared' | 'options'>): Promise<OpenedEngine> {
  const { env, cacheDir, devices, batch, injection, provider } = options
  const providers = providersOf(prepared, provider)
  const environment = await inferenceEnvironment({ env, cacheDir, providers })
  const { known } = environment
  const asked = { devices, providers, known, env: environment.env, wantsMemory: batch === 'auto' }
  const { ids, cardMemoryMib } = await chooseDevices(asked)
  // Of all devices that there are, the CPU is one.
  requireFit(prepared, { known, provider, batch, devices: devices === 'all' ? undefined : ids })
  return { engine: createEngine({ ...environment, devices: ids, injection }), cardMemoryMib }
}

export interface OpenedEngine {
  readonly engine: Engine
  /** As `ChosenDevices`. */
  readonly cardMemoryMib: number | null
}
