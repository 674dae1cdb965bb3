// biome-ignore-all lint/suspicious/noControlCharactersInRegex: garbled text is made of them.
/**
 * UTF-8 that was read as another encoding, read again as what it was ("cafÃ©" → "café"). Ported from ftfy 6.3.1
 * (`fix_encoding`, `fixes.py`; Robyn Speer, Apache-2.0 licence).
 */
import { charmaps, decodeUtf8, WINDOWS_1252_CONTROLS } from './charmaps.ts'
import { looksGarbled } from './mojibake-patterns.ts'
import { UTF8_BYTES } from './mojibake-tables.ts'

/** Until nothing changes: text is garbled twice and more. */
export function fixEncoding(text: string): string {
  let fixed = text
  for (;;) {
    const next = fixOnce(fixed)
    if (next === fixed) return fixed
    fixed = next
  }
}

const ASCII_ONLY = /^[\0-\x7f]*$/

function fixOnce(text: string): string {
  if (ASCII_ONLY.test(text) || !looksGarbled(text)) return text
  let latin1: string | null = null
  for (const { name, isSloppy, encode } of charmaps()) {
    const encoded = encode(text)
    if (encoded === null) continue
    if (name === 'latin-1') latin1 = encoded
    // In this one it would match a dash before a space.
    const restored = name === 'macroman' ? encoded : restoreNoBreakSpaces(encoded)
    const decoded = decodeUtf8(isSloppy ? restored.replace(LOSSY, REPLACEMENT) : restored)
    if (decoded !== null) return decoded
  }
  const inside = fixInside(text)
  if (inside !== text) return inside
  if (latin1 !== null) {
    const fixed = windowsOf(latin1)
    if (fixed !== null && fixed !== text) return fixed
  }
  return fixControls(text)
}

/** U+FFFD in UTF-8. */
const REPLACEMENT = '\xef\xbf\xbd'

/** "à" as a word of its own keeps the space that follows; not in Portuguese "àquele" and its kin. */
const A_GRAVE = /\xc3 (?! |quele|quela|quilo|s )/g
const ALTERED =
  /[\xc2\xc3\xc5\xce\xd0\xd9] |[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]|[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] |\xf0 [\x80-\xbf][\x80-\xbf]|\xf0[\x80-\xbf] [\x80-\xbf]|\xf0[\x80-\xbf][\x80-\xbf] /g
const LOSSY =
  /[\xc2-\xdf]\x1a|[\xc2-\xc3]\?|\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]|\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]|[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]|[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]|\x1a/g

/** Bytes A0 that became plain spaces on the way. */
function restoreNoBreakSpaces(bytes: string): string {
  if (bytes.search(ALTERED) < 0) return bytes
  return bytes.replace(A_GRAVE, '\xc3\xa0 ').replace(ALTERED, (sequence) => sequence.replaceAll(' ', '\xa0'))
}

function windowsCharacter(control: string): string {
  return WINDOWS_1252_CONTROLS[control.charCodeAt(0) - 0x80] ?? control
}

/** Bytes as Windows-1252, which has none for five of them. */
function windowsOf(bytes: string): string | null {
  if (/[\x81\x8d\x8f\x90\x9d]/.test(bytes)) return null
  return fixControls(bytes)
}

/** C1 controls as what Windows has in their places. */
export function fixControls(text: string): string {
  return text.replace(/[\x80-\x9f]/g, windowsCharacter)
}

interface Sets {
  readonly lengths: ReadonlyMap<string, number>
  readonly continuation: ReadonlySet<string>
  readonly strict: ReadonlySet<string>
}

let sets: Sets | undefined

function setsOf(): Sets {
  sets ??= {
    lengths: new Map([
      ...charactersOf(UTF8_BYTES.firstOf2).map((character) => [character, 1] as const),
      ...charactersOf(UTF8_BYTES.firstOf3).map((character) => [character, 2] as const),
      ...charactersOf(UTF8_BYTES.firstOf4).map((character) => [character, 3] as const),
    ]),
    continuation: new Set(charactersOf(UTF8_BYTES.continuation)),
    strict: new Set(charactersOf(UTF8_BYTES.continuationStrict)),
  }
  return sets
}

/** `a-c` → a, b, c. */
function charactersOf(ranges: string): string[] {
  const characters = [...ranges]
  return characters.flatMap((character, index) => {
    if (character === '-') {
      const [from, to] = [characters[index - 1]!.charCodeAt(0), characters[index + 1]!.charCodeAt(0)]
      return Array.from({ length: to - from + 1 }, (_, step) => String.fromCharCode(from + step))
    }
    return [character]
  })
}

/** Runs of what looks like UTF-8 within text that is sound, each fixed by itself. */
function fixInside(text: string): string {
  const { lengths, continuation, strict } = setsOf()
  /** The end of the sequence that starts here, or −1. */
  const sequenceEnd = (start: number): number => {
    const length = lengths.get(text[start] ?? '')
    if (length === undefined) return -1
    for (let i = start + 1; i <= start + length; i++) if (!continuation.has(text[i] ?? '')) return -1
    return start + length + 1
  }
  let fixed = ''
  let at = 0
  while (at < text.length) {
    let end = strict.has(text[at - 1] ?? '') ? -1 : sequenceEnd(at)
    if (end < 0) {
      fixed += text[at++]
      continue
    }
    for (let next = sequenceEnd(end); next >= 0; next = sequenceEnd(end)) end = next
    const run = text.slice(at, end)
    fixed += run.length < text.length && looksGarbled(run) ? fixEncoding(run) : run
    at = end
  }
  return fixed
}
