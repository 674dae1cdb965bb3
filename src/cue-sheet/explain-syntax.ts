/** Slips of YAML that the parser names by what it made of them, in the words of who wrote them. */
import type { YAMLError } from 'yaml'

const MAX_VALUE_CHARS = 200

/** @returns null where the parser's own words are the best there are */
export function explainSyntax(
  { code, pos: [at] }: YAMLError,
  text: string,
): { readonly what: string; readonly help: string } | null {
  if (code === 'BLOCK_AS_IMPLICIT_KEY' || code === 'BLOCK_IN_FLOW') return explainColon(code, at, text)
  // A flow collection whose end a comment has swallowed.
  if (code === 'BAD_INDENT' || code === 'MISSING_CHAR') return explainComment(at, text)
  return null
}

/** `prompt: sunset: a hill` */
function explainColon(code: string, at: number, text: string) {
  const rest = text.slice(at, at + MAX_VALUE_CHARS).split('\n', 1)[0] ?? ''
  const end = code === 'BLOCK_IN_FLOW' ? rest.search(/[,}\]]/) : -1
  const value = (end < 0 ? rest : rest.slice(0, end)).trimEnd()
  if (!/: /.test(value) || /^["']/.test(value)) return null
  const isWhole = rest.length < MAX_VALUE_CHARS && !/["\\]/.test(value)
  return {
    what: 'This value has ": " in it, which YAML takes for a key.',
    help: isWhole ? `Write it in quotes: "${value}".` : 'Write it in quotes.',
  }
}

/** `{ prompt: a hill #1, seed: 2 }` */
function explainComment(at: number, text: string) {
  const before = text.slice(Math.max(0, at - 4 * MAX_VALUE_CHARS), at).trimEnd()
  const line = before.slice(before.lastIndexOf('\n') + 1)
  if (!/[^\s] #/.test(line) || !/[{[]/.test(line)) return null
  return {
    what: 'A " #" begins a comment, so that the bracket before it is never closed.',
    help: 'Write a value with " #" in it in quotes.',
  }
}
