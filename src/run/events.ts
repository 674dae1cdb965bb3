/** What a run says while it works. Reporters draw these; nothing else in the core prints. */

interface UnitRef {
  readonly cue: string
  readonly variant: string
}

export type RunEventBody =
  | {
      readonly type: 'run-planned'
      readonly units: number
      readonly skipped: number
      readonly shard: string | null
      /** Steps that the planned units will execute, for progress. */
      readonly steps: number
      readonly version: string
      readonly out: string
    }
  | {
      readonly type: 'model-loaded'
      readonly model: string
      readonly provider: string
      readonly durationMs: number
    }
  | (UnitRef & {
      readonly type: 'unit-started'
      readonly program: string
      readonly seed: string
      readonly steps: number
    })
  | (UnitRef & {
      readonly type: 'step'
      readonly step: number
      readonly steps: number
      readonly durationMs: number
    })
  | (UnitRef & { readonly type: 'preview'; readonly step: number; readonly path: string })
  | (UnitRef & {
      readonly type: 'preview-failed'
      readonly step: number
      readonly method: string
      readonly message: string
    })
  | (UnitRef & {
      readonly type: 'unit-finished'
      readonly files: readonly string[]
      readonly durationMs: number
    })
  | (UnitRef & {
      readonly type: 'unit-failed'
      readonly stage: string
      readonly code: string
      readonly message: string
    })
  | (UnitRef & { readonly type: 'unit-skipped'; readonly reason: string })
  | {
      readonly type: 'object-uploaded'
      readonly key: string
      readonly sizeBytes: number
      readonly attempts: number
    }
  | {
      readonly type: 'upload-failed'
      readonly key: string
      readonly attempts: number
      readonly message: string
    }
  | { readonly type: 'warning'; readonly code: string; readonly message: string }
  | {
      readonly type: 'run-finished'
      readonly done: number
      readonly skipped: number
      readonly failed: number
      /** Not tried: the run was cancelled, or stopped by `--fail-fast`. done + skipped + failed + left = plan. */
      readonly left: number
      readonly cancelled: boolean
      readonly uploaded: number
      readonly uploadsFailed: number
      readonly wallMs: number
      readonly sessionRunMs: number
      readonly modelLoadMs: number
      readonly peakRssBytes: number
      readonly provider: string | null
      readonly version: string
      readonly folder: string
    }

/** `time` is ISO 8601 in UTC. */
export type RunEvent = RunEventBody & { readonly time: string }

/** Takes an event's body; the bus adds the time. Must not throw. */
export type EmitRunEvent = (event: RunEventBody) => void
