// biome-ignore-all lint/suspicious/noControlCharactersInRegex: garbled text is made of them.
/**
 * Text as it was meant: garbled encodings, HTML entities, ligatures, full-width forms, curly quotes, line breaks, control
 * characters, and Unicode's normal form C. Ported from ftfy 6.3.1 (`fix_text` with its defaults; Robyn Speer, Apache-2.0
 * licence).
 */
import { fixControls, fixEncoding } from './fix-encoding.ts'
import { namedEntity, numbered } from './html-entities.ts'
import { LIGATURES } from './mojibake-tables.ts'

/** Line by line. A line with `<` is HTML, perhaps: from there on entities are left alone. */
export function fixText(text: string): string {
  let isPlain = true
  return text
    .split(/(?<=\n)/)
    .map((line) => {
      isPlain &&= !line.includes('<')
      return fixLine(line, isPlain)
    })
    .join('')
}

function fixLine(line: string, mayUnescape: boolean): string {
  let fixed = line
  for (;;) {
    const before = fixed
    if (mayUnescape) fixed = unescapeSafely(fixed)
    fixed = STEPS.reduce((text, step) => step(text), fixEncoding(fixed)).normalize('NFC')
    if (fixed === before) return fixed
  }
}

const STEPS: readonly ((text: string) => string)[] = [
  fixControls,
  (text) => text.replace(/[Ĳĳŉ\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06]/g, (one) => LIGATURES.get(one) ?? one),
  (text) => text.replace(/[\u3000\uff01-\uffef]/g, (one) => (one === '\u3000' ? ' ' : one.normalize('NFKC'))),
  (text) => text.replace(/[\u201c-\u201f]/g, '"').replace(/[\u02bc\u2018-\u201b]/g, "'"),
  (text) => text.replaceAll('\r\n', '\n').replace(/[\r\u2028\u2029\u0085]/g, '\n'),
  (text) => text.replace(/\p{Surrogate}/gu, '\ufffd'),
  removeTerminalEscapes,
  (text) => text.replace(/[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, ''),
]

const ESCAPE_SEQUENCE = /^(?:\p{Nd}|;){0,64}[a-zA-Z]/u

/** Colours and the like. */
function removeTerminalEscapes(text: string): string {
  const [first = '', ...rest] = text.split('\u001b[')
  return rest.reduce((fixed, part) => {
    const sequence = ESCAPE_SEQUENCE.exec(part)?.[0]
    return fixed + (sequence === undefined ? `\u001b[${part}` : part.slice(sequence.length))
  }, first)
}

const ENTITY = /&#?[\dA-Za-z]{1,24};/g

/** Whole references alone, and names in capitals where they can mean one thing only. */
function unescapeSafely(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(ENTITY, (reference) => {
    if (reference.startsWith('&#'))
      return /^&#(?:\d+|[xX][\da-fA-F]+);$/.test(reference) ? numbered(reference) : reference
    const known = namedEntity(reference)
    if (known !== null) return known
    const lower = reference.toLowerCase()
    if (reference !== reference.toUpperCase()) return reference
    return namedEntity(lower)?.toUpperCase() ?? reference
  })
}
