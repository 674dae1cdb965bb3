/** The flags of `pregen run`, as commander gives them. */
import type { RequestedProvider } from '../model/providers.ts'
import type { ReportFormat } from './reporters/reporter.ts'
import type { SelectFlags } from './select-options.ts'

export interface RunFlags extends SelectFlags {
  readonly dryRun?: boolean
  readonly failFast?: boolean
  readonly provider?: RequestedProvider
  readonly deviceId?: number
  readonly devices?: readonly number[] | 'all'
  readonly threads?: number
  readonly batch?: number | 'auto'
  readonly concurrency?: number
  readonly liveFile?: boolean
  readonly verifyRemote?: boolean
  readonly pull?: boolean
  /** The first signal finishes the pictures in hand. */
  readonly drain?: boolean
  /** Starts it as a process of its own, and returns. */
  readonly detach?: boolean
  /** Waits until the runs that were submitted to the folder before it have ended. */
  readonly wait?: boolean
  /** A port for the page; true: the usual one. */
  readonly serve?: number | true
  /** The id that a submitted run was given. */
  readonly runId?: string
  /** Tests only: whether PREGEN_FAULTS breaks the run. */
  readonly testFaults?: boolean
  readonly format: ReportFormat
}
