/**
 * Foreign text, fit to be shown: text of sheets, ledgers, manifests, buckets, servers, model folders and the
 * environment may hold what steers a terminal, a CI system, or a reader's eye.
 */

/** The longest line that is shown, in UTF-16 units. */
export const MAX_LINE_CHARS = 2000

// Controls (C0, DEL, C1), format characters (zero width, text direction), halves of characters, line separators,
// and letters that are drawn as nothing.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0]|\u034f/gu
/** GitHub takes a line for a command when `::` comes first after any white space. */
const COMMAND_LINE = /^\s*::/
/** Azure's `##vso[` and GitHub's older `##[` count anywhere in a line. */
const COMMAND_MARK = /##(?=[a-z]{0,16}\[)/gi

/**
 * One line that can do nothing but be read: what is hidden becomes `\u{…}`, line breaks among it; what a CI system
 * would take for a command is broken up; the rest beyond 2000 characters becomes their number.
 */
export function printable(line: string): string {
  return shorten(line, MAX_LINE_CHARS)
    .replace(HIDDEN, escaped)
    .replace(COMMAND_LINE, (start) => start.replace(':', escaped))
    .replace(COMMAND_MARK, '\\u{23}#')
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** The beginning of a text, and how long it is where that is more than `max` characters. */
export function shorten(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}… (${text.length} characters)`
}

const UNSAFE_IN_JSON =
  /[\u007f-\u009f\u2028\u2029\p{Cf}\u115f\u1160\u3164\uffa0]|\u034f|##(?=[a-z]{0,16}\[)/giu

/** Exact JSON in which nothing is hidden: whatever reads it gets the value as it is. */
export function printableJson(value: unknown, indent?: number): string {
  // What is replaced here can only stand within strings, where JSON allows every character to be written as a number.
  return JSON.stringify(value, null, indent).replace(UNSAFE_IN_JSON, (found) =>
    Array.from({ length: found.length }, (_, at) => unitEscape(found.charCodeAt(at))).join(''),
  )
}

function unitEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}

/** `1 unit`, `2 units`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
