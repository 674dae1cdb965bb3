/**
 * Regular expressions of a tokenizer folder. JavaScript tries every way to match, so a pattern from a stranger could
 * keep a prompt busy for years: those are taken whose work on a prompt has a bound by their shape.
 */

/** Beyond this no published tokenizer goes. */
const MAX_PATTERN_CHARS = 2000

/**
 * Whether each alternative repeats at most one character class without limit, and no group is repeated or looked
 * back at. Every pattern of CLIP's, T5's and GPT-2's tokenizers is of that shape.
 */
export function isSafePattern(source: string): boolean {
  if (source.length > MAX_PATTERN_CHARS) return false
  let unlimited = 0
  let previous = ''
  for (let at = 0; at < source.length; ) {
    const atom = atomAt(source, at)
    if (atom === null) return false
    at += atom.length
    if (atom === '*' || atom === '+' || /^\{\d{1,4},\}$/.test(atom)) {
      if (previous === ')' || ++unlimited > 1) return false
    } else if (atom === '?' || atom.startsWith('{')) {
      if (previous === ')') return false
    } else if (atom === '|') unlimited = 0
    previous = atom
  }
  return true
}

/** A class, an escape, a repetition, the opening of a group, or a character; null for what is not taken. */
function atomAt(source: string, at: number): string | null {
  const rest = source.slice(at)
  if (rest.startsWith('[')) return classAt(rest)
  if (rest.startsWith('\\')) {
    const escaped = /^\\(?:[pP]\{[\w=]{1,64}\}|[^0-9kpP])/u.exec(rest)
    return escaped?.[0] ?? null
  }
  if (rest.startsWith('(?')) return /^\(\?(?:[:!=]|<[!=])/.exec(rest)?.[0] ?? null
  if (rest.startsWith('{')) return /^\{\d{1,4}(?:,\d{0,4})?\}/.exec(rest)?.[0] ?? null
  return rest[0] ?? null
}

/** `[…]` without a class inside it. */
function classAt(rest: string): string | null {
  for (let at = 1; at < rest.length; at++) {
    if (rest[at] === '\\') at++
    else if (rest[at] === '[') return null
    else if (rest[at] === ']') return rest.slice(0, at + 1)
  }
  return null
}

/** The first pattern anywhere in a value of a tokenizer.json that is not of a safe shape. */
export function findUnsafePattern(value: unknown): string | null {
  const open: unknown[] = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue
    for (const [key, inner] of Object.entries(next)) {
      if (key === 'Regex' && (typeof inner !== 'string' || !isSafePattern(inner))) return String(inner)
      if (typeof inner === 'object' && inner !== null) open.push(inner)
    }
  }
  return null
}
