// biome-ignore-all lint/suspicious/noControlCharactersInRegex: garbled text is made of them.
/**
 * Encodings of a byte a character, as ftfy tries them on garbled text. Bytes are strings of U+0000 … U+00FF here. `sloppy`: a byte
 * without a character stands for the control of its number, and 1A for U+FFFD, of which nobody knows what it was.
 */

export interface Charmap {
  readonly name: string
  readonly isSloppy: boolean
  /** null: the text has a character that is not in it. */
  readonly encode: (text: string) => string | null
}

const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0'

/** Bytes 80 … 9F of Windows-1252. Node's own decoder takes them for controls in some releases. */
export const WINDOWS_1252_CONTROLS = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'

const UPPER = Uint8Array.from({ length: 128 }, (_, index) => 128 + index)

function upperHalf(label: string): string {
  const decoded = [...new TextDecoder(label).decode(UPPER)]
  return decoded
    .map((character, index) => (character === '\ufffd' ? String.fromCharCode(128 + index) : character))
    .join('')
}

function charmap(name: string, upper: string, isSloppy: boolean): Charmap {
  const bytes = new Map([...upper].map((character, index) => [character, String.fromCharCode(128 + index)]))
  if (isSloppy) bytes.set('\ufffd', '\u001a')
  const byteOf = (character: string): string | undefined =>
    character < '\u0080' && !(isSloppy && character === '\u001a') ? character : bytes.get(character)
  return {
    name,
    isSloppy,
    encode(text) {
      let encoded = ''
      for (const character of text) {
        const byte = byteOf(character)
        if (byte === undefined) return null
        encoded += byte
      }
      return encoded
    },
  }
}

let made: readonly Charmap[] | undefined

/** In the order in which they are tried. */
export function charmaps(): readonly Charmap[] {
  made ??= [
    charmap('latin-1', String.fromCharCode(...UPPER), false),
    charmap('windows-1252', WINDOWS_1252_CONTROLS + String.fromCharCode(...UPPER.subarray(32)), true),
    ...['1251', '1250', '1253', '1254', '1257'].map((page) =>
      charmap(`windows-${page}`, upperHalf(`windows-${page}`), true),
    ),
    charmap('iso-8859-2', upperHalf('iso-8859-2'), false),
    charmap('macroman', upperHalf('macintosh'), false),
    charmap('cp437', CP437, false),
  ]
  return made
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 and its variants that encode surrogates one by one, or hide a NUL. null: it is none. */
export function decodeUtf8(bytes: string): string | null {
  const plain = bytes
    .replace(
      /\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])/g,
      (...groups: readonly string[]) => {
        const [, a = '', b = '', c = '', d = ''] = groups
        const high = ((byte(a) & 0x0f) << 6) | (byte(b) & 0x3f)
        const low = ((byte(c) & 0x0f) << 6) | (byte(d) & 0x3f)
        const code = 0x10000 + (high << 10) + low
        const units = [
          0xf0 | (code >> 18),
          0x80 | ((code >> 12) & 0x3f),
          0x80 | ((code >> 6) & 0x3f),
          0x80 | (code & 0x3f),
        ]
        return String.fromCharCode(...units)
      },
    )
    .replaceAll('\xc0\x80', '\0')
  try {
    return UTF8.decode(Uint8Array.from(plain, byte))
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

function byte(character: string): number {
  return character.charCodeAt(0)
}
