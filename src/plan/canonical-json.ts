/** JSON that is the same text for the same value: keys sorted, no spaces, absent = left out. */

export type Canonical =
  | string
  | number
  | boolean
  | null
  | bigint
  | undefined
  | readonly Canonical[]
  | { readonly [key: string]: Canonical }

/**
 * @throws TypeError for NaN and infinities, which JSON cannot say
 */
export function canonicalJson(value: Canonical): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'bigint') return `"${value}"`
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${value} has no JSON`)
  if (typeof value === 'string') return quote(value)
  if (typeof value !== 'object') return JSON.stringify(value)
  let text = ''
  if (isList(value)) {
    for (const item of value) text += `${text === '' ? '' : ','}${canonicalJson(item)}`
    return `[${text}]`
  }
  for (const key of Object.keys(value).sort()) {
    const inner = value[key]
    if (inner !== undefined) text += `${text === '' ? '' : ','}${quote(key)}:${canonicalJson(inner)}`
  }
  return `{${text}}`
}

// ASCII without quotes, backslashes and controls: what JSON writes as it stands.
const BARE = /^[ !#-[\]-~]*$/

function quote(text: string): string {
  return BARE.test(text) ? `"${text}"` : JSON.stringify(text)
}

function isList(value: object): value is readonly Canonical[] {
  return Array.isArray(value)
}

/** Any plain data as canonical data: what JSON cannot hold is left out, as `JSON.stringify` does. */
export function toCanonical(value: unknown): Canonical {
  if (typeof value === 'bigint') return value
  const text = JSON.stringify(value)
  const plain: Canonical = text === undefined ? undefined : JSON.parse(text)
  return plain
}
