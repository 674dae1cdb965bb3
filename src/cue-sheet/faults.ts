/** Collects every fault and warning of one sheet, so that all are reported in one pass. */
import type { ErrorCode } from '../error-codes.ts'
import { PregenError, PregenErrors, type SourceLocation } from '../errors.ts'
import { shorten } from '../printable.ts'

/** Keys and indexes from the root of the sheet: `['cues', 'dawn', 'variants', 'wide', 'seed']`. */
export type SheetPath = readonly (string | number)[]

/** Something worth saying that stops nothing. */
export interface SheetWarning {
  /** A stable, documented code such as `W_EMPTY_PROMPT`. */
  readonly code: string
  readonly message: string
  readonly location: SourceLocation | undefined
}

/** Faults that are kept; the others are counted. Far more than anyone mends in one go. */
const MAX_KEPT = 1000
const MAX_WARNINGS = 50
const MAX_MESSAGE_CHARS = 800
/** Ids have 255 bytes at most; what is longer is a fault itself. */
const MAX_NAME_CHARS = 80

export class Faults {
  readonly #errors: PregenError[] = []
  readonly #seen = new Set<string>()
  #more = 0
  readonly #warnings = new Map<string, SheetWarning>()
  readonly #unkeptWarnings = new Set<string>()

  /** @param help what to do; a function where it takes time to find out, which a fault too many is not worth */
  add(
    code: ErrorCode,
    location: SourceLocation | undefined,
    message: string,
    help?: string | (() => string),
  ): void {
    const shown = shorten(message, MAX_MESSAGE_CHARS)
    const key = `${code} ${location?.line}:${location?.column} ${shown}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    if (this.#errors.length >= MAX_KEPT) {
      this.#more++
      return
    }
    const text = typeof help === 'function' ? help() : help
    this.#errors.push(
      new PregenError(code, shown, { location, help: text && shorten(text, MAX_MESSAGE_CHARS) }),
    )
  }

  warn(code: string, location: SourceLocation | undefined, message: string): void {
    const key = `${code} ${location?.line}:${location?.column}`
    if (this.#warnings.size < MAX_WARNINGS || this.#warnings.has(key)) {
      this.#warnings.set(key, { code, message: shorten(message, MAX_MESSAGE_CHARS), location })
    } else this.#unkeptWarnings.add(key)
  }

  get any(): boolean {
    return this.#errors.length > 0
  }

  get warnings(): readonly SheetWarning[] {
    const { size } = this.#unkeptWarnings
    const kept = [...this.#warnings.values()]
    if (size === 0) return kept
    const message = `There are ${size} more warnings like these.`
    return [...kept, { code: 'W_MORE_WARNINGS', message, location: undefined }]
  }

  /** @throws PregenErrors with all faults in the order of the file, when there is one */
  throwIfAny(): void {
    if (this.#errors.length === 0) return
    // A value whose variable is not there is no news beyond that.
    const isUnfilled = ({ code }: PregenError) => code === 'E_ENV_UNSET' || code === 'E_ENV_NOT_ALLOWED'
    const unfilled = new Set(this.#errors.filter(isUnfilled).map(placeKey))
    const kept = this.#errors.filter((error) => isUnfilled(error) || !unfilled.has(placeKey(error)))
    throw new PregenErrors(kept.sort(byPlace), this.#more)
  }
}

function placeKey({ location }: PregenError): string {
  return `${location?.line}:${location?.column}`
}

function byPlace(a: PregenError, b: PregenError): number {
  const lines = (a.location?.line ?? 0) - (b.location?.line ?? 0)
  return lines !== 0 ? lines : (a.location?.column ?? 0) - (b.location?.column ?? 0)
}

/** A name as messages have it, in quotes. */
export function quoteName(name: string): string {
  return `"${shorten(name, MAX_NAME_CHARS)}"`
}

/** A value as the sheet has it (variables not filled in), in quotes. */
export function quoteWritten(written: string): string {
  return written.startsWith('"') ? shorten(written, MAX_NAME_CHARS) : quoteName(written)
}

/** `cues.dawn.variants.wide.seed`, `cues.forest.matrix.seed[1]`: how messages name a place in the sheet. */
export function formatPath(path: SheetPath): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += `${text === '' ? '' : '.'}${shorten(part, MAX_NAME_CHARS)}`
  }
  return text === '' ? 'the sheet' : text
}
