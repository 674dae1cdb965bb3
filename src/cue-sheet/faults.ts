/** Collects every fault and warning of one sheet, so that all are reported in one pass. */
import { PregenError, PregenErrors, type SourceLocation } from '../errors.ts'

/** Keys and indexes from the root of the sheet: `['cues', 'dawn', 'variants', 'wide', 'seed']`. */
export type SheetPath = readonly (string | number)[]

/** Something worth saying that stops nothing. */
export interface SheetWarning {
  /** A stable, documented code such as `W_EMPTY_PROMPT`. */
  readonly code: string
  readonly message: string
  readonly location: SourceLocation | undefined
}

export class Faults {
  readonly #errors: PregenError[] = []
  readonly #warnings = new Map<string, SheetWarning>()

  add(code: string, location: SourceLocation | undefined, message: string, help?: string): void {
    this.#errors.push(new PregenError(code, message, { location, help }))
  }

  warn(code: string, location: SourceLocation | undefined, message: string): void {
    this.#warnings.set(`${code} ${location?.line}:${location?.column}`, { code, message, location })
  }

  get any(): boolean {
    return this.#errors.length > 0
  }

  get warnings(): readonly SheetWarning[] {
    return [...this.#warnings.values()]
  }

  /** @throws PregenErrors with all faults in the order of the file, when there is one */
  throwIfAny(): void {
    if (this.#errors.length === 0) return
    // A value whose variable is not set is no news beyond that.
    const unset = new Set(this.#errors.filter(({ code }) => code === 'E_ENV_UNSET').map(placeKey))
    const told = this.#errors.filter((error) => error.code === 'E_ENV_UNSET' || !unset.has(placeKey(error)))
    const unique = new Map(told.map((error) => [faultKey(error), error]))
    throw new PregenErrors([...unique.values()].sort(byPlace))
  }
}

function faultKey(error: PregenError): string {
  return `${error.code} ${placeKey(error)} ${error.message}`
}

function placeKey({ location }: PregenError): string {
  return `${location?.line}:${location?.column}`
}

function byPlace(a: PregenError, b: PregenError): number {
  const lines = (a.location?.line ?? 0) - (b.location?.line ?? 0)
  return lines !== 0 ? lines : (a.location?.column ?? 0) - (b.location?.column ?? 0)
}

/** `cues.dawn.variants.wide.seed`, `cues.forest.matrix.seed[1]`: how messages name a place in the sheet. */
export function formatPath(path: SheetPath): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text === '' ? part : `.${part}`
  }
  return text === '' ? 'the sheet' : text
}
