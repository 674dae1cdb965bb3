/**
 * Every fault that a person can do something about is a `PregenError`: a stable code, what is wrong,
 * why, and what to do. Anything else that is thrown is a bug and is shown with its stack.
 */
import type { ErrorCode } from './error-codes.ts'

/** Where in a file a fault stands. Lines and columns count from 1. */
export interface SourceLocation {
  readonly file: string
  readonly line?: number | undefined
  readonly column?: number | undefined
}

export interface PregenErrorOptions {
  /** What to do about it, one or more lines. */
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

  constructor(code: string, message: string, options: PregenErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    // Codes are put together in places: a test holds all of them against the list.
    this.code = code as ErrorCode
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
  /** The code of a single fault is its own; several are `E_SEVERAL`. */
  constructor(errors: readonly PregenError[]) {
    const code = errors.length === 1 ? errors[0]!.code : 'E_SEVERAL'
    super(code, errors.map((error) => formatError(error)).join('\n\n'), { errors })
  }
}

/** `cues.yaml:14:16`, or as much of it as is known. */
export function formatLocation({ file, line, column }: SourceLocation): string {
  return [file, line, column].filter((part) => part !== undefined).join(':')
}

/** The face that a terminal shows: place and code, then what and why, then what to do. */
export function formatError(error: PregenError): string {
  const head = error.location ? `${formatLocation(error.location)}  ${error.code}` : error.code
  const body = [error.message, ...(error.help ? [error.help] : [])].flatMap((text) => text.split('\n'))
  return [head, ...body.map((line) => `  ${line}`)].map(printable).join('\n')
}

/** One line as a terminal may have it: control, invisible and text-direction characters become `\u{…}`. */
export function printable(line: string): string {
  return line.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
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
