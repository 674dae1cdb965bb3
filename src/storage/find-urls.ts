/** URLs within a text, found in one pass: a pattern would start over at every letter of a long word. */

/** Longer schemes do not exist; without a limit, runs of letters before each `://` would be read again and again. */
const MAX_SCHEME_CHARS = 32
const SCHEME_CHARACTER = /[a-z0-9+.-]/i
const LETTER = /[a-z]/i
const END = /[\s"'<>]/g

/** The text with every `scheme://rest` replaced; `rest` goes to the next white space, quote or angle bracket. */
export function replaceUrls(text: string, replace: (scheme: string, rest: string) => string): string {
  let replaced = ''
  let done = 0
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', Math.max(at + 3, done))) {
    const start = schemeStart(text, at, done)
    // Before the end is looked for: what has no scheme must not cost a look through the rest of the text.
    if (start === at) continue
    END.lastIndex = at + 3
    const end = END.exec(text)?.index ?? text.length
    if (end === at + 3) continue
    replaced += text.slice(done, start) + replace(text.slice(start, at + 3), text.slice(at + 3, end))
    done = end
  }
  return replaced + text.slice(done)
}

function schemeStart(text: string, end: number, from: number): number {
  let start = end
  const earliest = Math.max(from, end - MAX_SCHEME_CHARS)
  while (start > earliest && SCHEME_CHARACTER.test(text[start - 1]!)) start--
  while (start < end && !LETTER.test(text[start]!)) start++
  return start
}
