/** A sheet's bytes → text, or the fault that stops everything else. */
import type { Faults } from './faults.ts'
import { MAX_SHEET_BYTES } from './scan.ts'
import { findInvalidUtf8 } from './utf8.ts'

export const EMPTY_HELP = '"pregen init" writes a first sheet.'

/** @returns undefined after a fault: nothing, more than 1 MiB, or not UTF-8 */
export function decodeSheet(bytes: Uint8Array, file: string, faults: Faults): string | undefined {
  const start = { file, line: 1, column: 1 }
  if (bytes.length === 0) {
    faults.add('E_SHEET_EMPTY', start, 'The file is empty.', EMPTY_HELP)
    return undefined
  }
  if (bytes.length > MAX_SHEET_BYTES) {
    const help = 'A sheet may have 1 MiB. Split it, or let "matrix" and "seeds" do the listing.'
    faults.add('E_SHEET_TOO_LARGE', start, 'The file is larger than 1 MiB.', help)
    return undefined
  }
  const bad = findInvalidUtf8(bytes)
  if (bad < 0) return new TextDecoder().decode(bytes)
  const before = new TextDecoder().decode(bytes.subarray(0, bad)).split('\n')
  const location = { file, line: before.length, column: before.at(-1)!.length + 1 }
  const message = `The byte at offset ${bad} (0x${bytes[bad]!.toString(16).padStart(2, '0')}) is not UTF-8.`
  faults.add('E_SHEET_NOT_UTF8', location, message, 'Save the file as UTF-8.')
  return undefined
}
