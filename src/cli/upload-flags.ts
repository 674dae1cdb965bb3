/** The flags of `pregen upload`, as commander gives them. */
import type { ReportFormat } from './reporters/reporter.ts'
import type { EndpointFlags, SheetFlags } from './select-options.ts'

export interface UploadFlags extends EndpointFlags, SheetFlags {
  readonly sheet?: string
  readonly bucket?: string
  readonly endpoint?: string
  readonly region?: string
  readonly prefix?: string
  readonly concurrency?: number
  readonly verifyRemote?: boolean
  readonly all?: boolean
  readonly format: ReportFormat
}
