/**
 * Every fault that a person can do something about is a `PregenError`: a stable code, what is wrong,
 * why, and what to do. Anything else that is thrown is a bug and is shown with its stack.
 */
import type { ErrorCode } from './error-codes.ts'
import { printable } from './printable.ts'

/** Where in a file a fault stands. Lines and columns count from 1. */
export interface SourceLocation {
  readonly file: string
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/** A place in a sheet takes a second reading of it: asked for when there is a fault to place, never before. */
export type LocateFault = () => SourceLocation | undefined

export interface PregenErrorOptions {
  /** What to do about it. One line, as the message is: a line break in it came from outside and is shown as one. */
  readonly help?: string | undefined
  readonly location?: SourceLocation | undefined
  readonly cause?: unknown
  /** Exit code of the process when this ends a command: 2 = bad usage or input (the default), 1 = bug. */
  readonly exitCode?: 1 | 2 | 3 | undefined
  readonly errors?: readonly PregenError[] | undefined
}

export class PregenError extends Error {
  override readonly name = 'PregenError'
  /** A stable, documented code such as `E_UNKNOWN_SCHEDULER`. */
  readonly code: ErrorCode
  readonly help: string | undefined
  readonly location: SourceLocation | undefined
  readonly exitCode: 1 | 2 | 3
  readonly #errors: readonly PregenError[] | undefined

  constructor(code: ErrorCode, message: string, options: PregenErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.help = options.help
    this.location = options.location
    this.exitCode = options.exitCode ?? 2
    this.#errors = options.errors
  }

  /** Every fault that was found in one pass; this one alone, unless there are several. */
  get errors(): readonly PregenError[] {
    // No property: an error that held itself could not be written as JSON.
    return this.#errors ?? [this]
  }
}

/** Several faults found in one pass, reported together. */
export class PregenErrors extends PregenError {
  /** Faults beyond those in `errors`, which were counted and not kept. */
  readonly more: number

  /** The code of a single fault is its own; several are `E_SEVERAL`. */
  constructor(errors: readonly PregenError[], more = 0) {
    const code = errors.length + more === 1 ? errors[0]!.code : 'E_SEVERAL'
    super(code, formatErrors(errors, more).join('\n'), { errors })
    this.more = more
  }
}

/** `cues.yaml:14:16`, or as much of it as is known. */
export function formatLocation({ file, line, column }: SourceLocation): string {
  return [file, line, column].filter((part) => part !== undefined).join(':')
}

/** The face that a terminal shows: place and code, then what and why, then what to do. */
export function formatError(error: PregenError): string {
  return linesOf(error).join('\n')
}

function linesOf({ location, code, message, help }: PregenError): string[] {
  const head = location ? `${formatLocation(location)}  ${code}` : code
  return [head, `  ${message}`, ...(help ? [`  ${help}`] : [])].map(printable)
}

/** Faults that are shown of one pass; whoever mends those will not miss the others. */
const MAX_SHOWN = 50
const MAX_SHOWN_CHARS = 48 * 1024

/** Lines that show faults, an empty one between two: the first 50, fewer where they are long, and how many more there are. */
export function formatErrors(errors: readonly PregenError[], more = 0): string[] {
  const lines: string[] = []
  let chars = 0
  let shown = 0
  for (const error of errors.slice(0, MAX_SHOWN)) {
    const face = linesOf(error)
    chars += face.reduce((sum, line) => sum + line.length, 0)
    if (shown > 0 && chars > MAX_SHOWN_CHARS) break
    lines.push(...(shown > 0 ? [''] : []), ...face)
    shown++
  }
  const left = errors.length - shown + more
  return left === 0 ? lines : [...lines, '', `and ${left} more`]
}

/** The message of anything thrown, for wrapping into a `PregenError` with the original as `cause`. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** `ENOENT` and its kin, where an error carries one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
