/** Blanks and invisible characters that YAML does not take for spaces: pasted from web pages, they look like indentation. */

// One class, three times: a pattern that is put together from text cannot be proven to be linear.
const ODD_BLANK =
  /^[\u00a0\u00ad\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u202a-\u202f\u205f-\u2064\u3000\u3164\ufeff\uffa0]/
const ODD_INDENT =
  /^ *[\u00a0\u00ad\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u202a-\u202f\u205f-\u2064\u3000\u3164\ufeff\uffa0]/
const ODD_START =
  /(?:^|[ {,])[\u00a0\u00ad\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u202a-\u202f\u205f-\u2064\u3000\u3164\ufeff\uffa0]/m

const NAMES: Readonly<Record<string, string>> = {
  '\u00a0': 'A no-break space',
  '\u00ad': 'A soft hyphen',
  '\u2007': 'A figure space',
  '\u200b': 'A zero-width space',
  '\u200c': 'A zero-width non-joiner',
  '\u200d': 'A zero-width joiner',
  '\u202f': 'A narrow no-break space',
  '\u2060': 'A word joiner',
  '\u3000': 'An ideographic space',
  '\ufeff': 'A byte order mark',
}

export const INDENT_HELP =
  'YAML indents with plain spaces only: delete what stands before the word, and type spaces.'

/** Whether a word begins with such a character. */
export function beginsOddly(word: string): boolean {
  return ODD_BLANK.test(word)
}

/** Whether a word of a text may begin so. */
export function mayBeginOddly(text: string): boolean {
  return ODD_START.test(text)
}

/** The place of the first such character in the indentation of a line; −1: there is none. */
export function oddIndentOf(line: string): number {
  return ODD_INDENT.test(line) ? line.search(/[^ ]/) : -1
}

/** `A no-break space (U+00A0) indents this line.` */
export function describeOddIndent(text: string): string {
  const point = (text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return `${NAMES[text[0] ?? ''] ?? 'An invisible character'} (U+${point}) indents this line.`
}

/** Whether ` #` may cut a prompt off that stands without quotes: one blank, and not two as before a comment that is meant. */
export function mayCutPrompt(text: string): boolean {
  return (
    text.includes(' #') && text.split('\n').some((line) => line.includes('prompt') && /[^\s] #/.test(line))
  )
}
