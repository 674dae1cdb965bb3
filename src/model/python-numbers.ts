/** What Python's json writes and JSON does not know. */

const WORD_CHARACTER = /\w/

/**
 * Puts NaN and ±Infinity, which Python writes bare (diffusers' `lambda_min_clipped: -Infinity`), into quotes: they
 * become strings, as which the schedulers read them. The text is read once: a string that never ends must not be looked for again from each of its characters.
 */
export function quotePythonNumbers(text: string): string {
  let quoted = ''
  let at = 0
  while (at < text.length) {
    const start = text.indexOf('"', at)
    quoted += quoteBare(text.slice(at, start < 0 ? text.length : start))
    if (start < 0) break
    const end = endOfString(text, start)
    quoted += text.slice(start, end)
    at = end
  }
  return quoted
}

/** The place after the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return Math.min(at + 1, text.length)
}

function quoteBare(text: string): string {
  if (!text.includes('Infinity') && !text.includes('NaN')) return text
  return text.replace(/-?Infinity|NaN/g, (number, at: number) => {
    const around = [text[at - 1], text[at + number.length]]
    return around.some((next) => next !== undefined && WORD_CHARACTER.test(next)) ? number : `"${number}"`
  })
}
