/** HTML's character references, as Python's `html.unescape` reads them. The names are of the package `entities`. */
import { decodeHTML, decodeHTMLStrict } from 'entities'
import { WINDOWS_1252_CONTROLS } from './charmaps.ts'

const REFERENCE = /&(?:#\d+;?|#[xX][\da-fA-F]+;?|[^\t\n\f <&#;]+;?)/g

/** What browsers take numbers of Windows-1252 for, and the others of HTML's table; the rest of 128 … 159 stands for itself. */
const REPLACED: ReadonlyMap<number, string> = new Map(
  [...WINDOWS_1252_CONTROLS].map((character, index) => [0x80 + index, character]),
)

export function unescapeHtml(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(REFERENCE, (reference) =>
    reference.startsWith('&#') ? numbered(reference) : decodeHTML(reference),
  )
}

/** The text of `&#233;` or `&#xe9;`, with or without the semicolon; '' for what is no character. */
export function numbered(reference: string): string {
  const digits = reference.replace(/;$/, '').slice(2)
  const code = /^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number.parseInt(digits, 10)
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '\ufffd'
  const replaced = REPLACED.get(code)
  if (replaced !== undefined) return replaced
  return isNoCharacter(code) ? '' : String.fromCodePoint(code)
}

function isNoCharacter(code: number): boolean {
  const isControl = (code <= 0x1f && ![0x09, 0x0a, 0x0c, 0x0d].includes(code)) || code === 0x7f
  return isControl || (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe
}

/** The text of an entity that ends in a semicolon, such as `&eacute;`; null where there is none of that name. */
export function namedEntity(reference: string): string | null {
  const text = decodeHTMLStrict(reference)
  return text === reference ? null : text
}
