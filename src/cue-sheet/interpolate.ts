/** `${NAME}` in a value stands for an environment variable; `$${` is a literal `${`. */

export interface Interpolation {
  readonly text: string
  /** Names that are not set. */
  readonly unset: readonly string[]
  /** Openings `${` that do not go on as `NAME}`. */
  readonly malformed: readonly string[]
}

const PATTERN = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{[^}\n]*\}?/g

/** Whether `text` has anything that interpolation would change. */
export function hasInterpolation(text: string): boolean {
  return text.includes('${')
}

/** Replaces every `${NAME}` from `env`. An unset name is left as it stands and reported. */
export function interpolate(text: string, env: Readonly<Record<string, string | undefined>>): Interpolation {
  const unset: string[] = []
  const malformed: string[] = []
  const replaced = text.replace(PATTERN, (found: string, name: string | undefined) => {
    if (found === '$${') return '${'
    if (name === undefined) {
      malformed.push(found)
      return found
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value === undefined) {
      unset.push(name)
      return found
    }
    return value
  })
  return { text: replaced, unset, malformed }
}
