/** Errors across the process boundary: structured clone would keep the message and lose code, help and stage. */
import type { ErrorCode } from '../error-codes.ts'
import { messageOf, PregenError } from '../errors.ts'

/** What of an error survives the way between processes. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  readonly help: string | undefined
  readonly stage: string | undefined
  /** Set for what is not a PregenError: a bug's stack. */
  readonly stack: string | undefined
}

export function toWireError(thrown: unknown): WireError {
  const stage =
    thrown instanceof Error && 'stage' in thrown && typeof thrown.stage === 'string'
      ? thrown.stage
      : undefined
  if (thrown instanceof PregenError) {
    return { code: thrown.code, message: thrown.message, help: thrown.help, stage, stack: undefined }
  }
  return {
    code: 'E_UNEXPECTED',
    message: messageOf(thrown),
    help: undefined,
    stage,
    stack: thrown instanceof Error ? thrown.stack : undefined,
  }
}

/** An error that came out of a worker, with the pipeline's stage that it happened in. */
export class WorkerError extends PregenError {
  readonly stage: string

  constructor(wire: WireError, fallbackStage: string) {
    // A provider that is not there is wrong usage, as it is in this process; the rest is work that failed.
    const exitCode = isWrongProvider(wire.code) ? 2 : 3
    super(wire.code, wire.message, { help: wire.help, exitCode, cause: wire.stack })
    this.stage = wire.stage ?? fallbackStage
  }
}

const WRONG_PROVIDER: ReadonlySet<string> = new Set(['E_PROVIDER_NO_HALF', 'E_PROVIDER_UNAVAILABLE'])

/** Whether the provider that was asked for cannot draw, whatever it is given: nothing was begun then. */
export function isWrongProvider(code: string): boolean {
  return WRONG_PROVIDER.has(code)
}
