/** `${NAME}` in a value stands for an environment variable; `$${` is a literal `${`. */

export interface Interpolation {
  readonly text: string
  /** Names that are not set. */
  readonly unset: readonly string[]
  /** Names that are set or not, and may not be read. */
  readonly refused: readonly string[]
  /** Names that were filled in. */
  readonly filled: ReadonlyMap<string, string>
  /** Openings `${` that do not go on as `NAME}`. */
  readonly malformed: readonly string[]
}

const PATTERN = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{[^}\n]*\}?/g

/** Longest text that filling in makes. */
const MAX_FILLED_CHARS = 1024 * 1024

/** Whether `text` has anything that interpolation would change. */
export function hasInterpolation(text: string): boolean {
  return text.includes('${')
}

/** Replaces every `${NAME}` from `env`. A name that is unset or may not be read is left as it stands and reported. */
export function interpolate(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  mayRead: (name: string) => boolean,
): Interpolation {
  const unset: string[] = []
  const refused: string[] = []
  const filled = new Map<string, string>()
  const malformed: string[] = []
  let length = text.length
  const replaced = text.replace(PATTERN, (found: string, name: string | undefined) => {
    if (found === '$${') return '${'
    if (name === undefined) {
      malformed.push(found)
      return found
    }
    if (!mayRead(name)) {
      refused.push(name)
      return found
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value === undefined) {
      unset.push(name)
      return found
    }
    filled.set(name, value)
    length += value.length
    // Nothing in a sheet may be so long: what comes after is not worth its memory.
    return length > MAX_FILLED_CHARS ? found : value
  })
  return { text: replaced, unset, refused, filled, malformed }
}
