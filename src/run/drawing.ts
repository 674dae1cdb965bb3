/** What drawing is told and what the devices share while it lasts. */
import type { Device } from '../engine/device.ts'
import type { ProviderName } from '../model/providers.ts'
import type { BatchQueue, Feed } from './batch-queue.ts'
import type { BatchSizes } from './batch-size.ts'
import type { RunOptions } from './options.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'
import type { SharedTexts } from './shared-texts.ts'
import { createUnitLife, type UnitLife, type UnitServices, type UnitState } from './unit-life.ts'

export interface Drawing {
  readonly devices: readonly Device[]
  readonly services: UnitServices
  readonly options: Partial<Pick<RunOptions, 'provider' | 'threads' | 'cacheDir' | 'devices' | 'batch'>>
  /** MiB of the smallest card that is drawn on; null or absent: not known. */
  readonly cardMemoryMib?: number | null
  /** Aborted: the run stops before the next step. */
  readonly stopping: AbortSignal
  /** Aborted: nothing more is begun. With `stopping`, and before it where a run is drained. */
  readonly ending: AbortSignal
  readonly noteModelLoad: (durationMs: number) => void
}

/** Units of one model that come while it is drawn, from a queue that other machines draw from, too. */
export interface UnitFeed extends Feed<PreparedUnit> {
  /** Asked once an entry. */
  readonly createLife: (entry: PreparedUnit) => UnitLife
  /** An entry is dealt with here. What is not told of by the end of drawing was not begun, or was given up by a stop. */
  readonly settled: (entry: PreparedUnit, state: UnitState) => void
}

/** What the devices share while one model is drawn. */
export interface ModelWork {
  readonly model: PreparedModel
  /** All of them; none of a feed's, which nobody knows. */
  readonly units: readonly PreparedUnit[]
  readonly feed: UnitFeed | null
  /** That share them. */
  readonly devices: number
  /** Made when a device has encoded the prompts, whose lengths decide what fits into one batch; null before. */
  queue: BatchQueue<PreparedUnit> | null
  /** Where one device encodes for all; null for one device, and for a feed's units, which nobody knows. */
  readonly sharedTexts: SharedTexts | null
  /** Of each device, once it has drawn. */
  readonly sizes: Map<Device, BatchSizes>
  /** Made when a unit is first taken from the queue; kept while it is in work, or given back. */
  readonly lives: Map<PreparedUnit, UnitLife>
  /** What the first device runs on, for the others to be asked for the same; null where it does not run. */
  readonly lead: Promise<ProviderName | null>
  readonly tellLead: (provider: ProviderName | null) => void
}

export function lifeOf(
  { services }: Drawing,
  { model, feed, lives }: ModelWork,
  entry: PreparedUnit,
): UnitLife {
  const life = lives.get(entry) ?? feed?.createLife(entry) ?? createUnitLife(services, model, entry)
  lives.set(entry, life)
  return life
}
