/** What a run is asked with. */
import type { EventBus } from './event-bus.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun } from './prepared.ts'

/** A run's plan, its options and its event stream. */
export interface RunRequest {
  readonly prepared: PreparedRun
  readonly options: RunOptions
  readonly bus: EventBus
}
