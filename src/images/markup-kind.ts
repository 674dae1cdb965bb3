/** Which kind of markup a text is, by its beginning: read once from left to right, whatever stands in it. */

const SPACE = /\s/

/** @param head the first characters of a file */
export function markupKind(head: string): 'an SVG drawing' | 'an HTML page' | 'an XML document' | null {
  const text = head.toLowerCase()
  const start = skipSpace(text, 0)
  const hasDeclaration = text.startsWith('<?xml', start)
  const afterComments = skipComments(text, hasDeclaration ? skipTag(text, start) : start)
  const at = text.startsWith('<!doctype svg', afterComments)
    ? skipComments(text, skipTag(text, afterComments))
    : afterComments
  if (isTag(text, at, '<svg')) return 'an SVG drawing'
  if (hasDeclaration) return 'an XML document'
  const isPage = ['<!doctype html', '<html', '<head', '<body'].some((tag) => isTag(text, at, tag))
  return isPage ? 'an HTML page' : null
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && SPACE.test(text[at]!)) at++
  return at
}

/** The place after the next `>`, and after the white space behind it. */
function skipTag(text: string, from: number): number {
  const end = text.indexOf('>', from)
  return end < 0 ? text.length : skipSpace(text, end + 1)
}

function skipComments(text: string, from: number): number {
  let at = from
  while (text.startsWith('<!--', at)) {
    const end = text.indexOf('-->', at + 4)
    at = end < 0 ? text.length : skipSpace(text, end + 3)
  }
  return at
}

/** Whether a tag begins at `at`, and not a longer word. */
function isTag(text: string, at: number, tag: string): boolean {
  const next = text[at + tag.length]
  return text.startsWith(tag, at) && next !== undefined && (next === '>' || SPACE.test(next))
}
