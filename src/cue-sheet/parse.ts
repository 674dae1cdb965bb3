/** A sheet's bytes → a checked sheet, or every fault at once. */
import { assembleSheet } from './assemble.ts'
import { mayCutPrompt } from './blanks.ts'
import { checkIds } from './check-ids.ts'
import { convertSheet, type SheetDocument } from './convert.ts'
import { decodeSheet, EMPTY_HELP } from './decode.ts'
import { explainIssues } from './explain-issues.ts'
import { Faults, formatPath } from './faults.ts'
import { findLongList, MAX_LIST } from './long-list.ts'
import type { ParseSheetOptions } from './options.ts'
import { plainDocument } from './plain-document.ts'
import { placeRows, rowFilesIn } from './rows.ts'
import { EVERY_CUE, salvage } from './salvage.ts'
import { scanSheet } from './scan.ts'
import { isIdMap, isTextSetting, sheetSchema } from './schema.ts'
import type { CueSheet } from './sheet.ts'

/** @throws PregenErrors with every fault, each with file, line and column */
export function parseCueSheet(bytes: Uint8Array, options: ParseSheetOptions): CueSheet {
  const faults = new Faults()
  const sheet = parseOrFault(bytes, options, faults)
  faults.throwIfAny()
  if (sheet === undefined) throw new Error('a sheet was given up without a fault')
  return { ...sheet, warnings: faults.warnings }
}

/** The values of `rows` in a sheet, for who reads those files. Faults are `parseCueSheet`'s matter. */
export function findRowFiles(bytes: Uint8Array, options: ParseSheetOptions): string[] {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('rows')) return []
  return rowFilesIn(readDocument(bytes, options, new Faults())?.data)
}

/** From this size on a sheet is parsed by compiled functions. */
const COMPILED_BYTES = 65_536

function readDocument(
  bytes: Uint8Array,
  options: ParseSheetOptions,
  faults: Faults,
): SheetDocument | undefined {
  const text = decodeSheet(bytes, options.file, faults)
  if (text === undefined) return undefined
  const { env, allowedVariables, onVariable, withoutTargets } = options
  const conversion = { env, allowedVariables, onVariable, withoutTargets, isIdMap, isTextSetting }
  const readFully = (into: Faults): SheetDocument | undefined => {
    const scanned = scanSheet(text, options.file, into)
    return scanned && convertSheet(scanned, { ...conversion, faults: into })
  }
  // Only the library that knows places sees where a comment begins.
  const plain = mayCutPrompt(text) ? undefined : plainDocument(text, readFully)
  return plain ?? readFully(faults)
}

function parseOrFault(
  bytes: Uint8Array,
  options: ParseSheetOptions,
  faults: Faults,
): Omit<CueSheet, 'warnings'> | undefined {
  const doc = readDocument(bytes, options, faults)
  if (doc === undefined) return undefined
  // What an alias should have stood for is missing: more faults would only be its echo.
  if (doc.isBroken) return undefined
  const { data } = doc
  if (data === null || data === undefined) {
    faults.add('E_SHEET_EMPTY', doc.locate([]), 'The sheet is empty.', EMPTY_HELP)
    return undefined
  }
  if (typeof data !== 'object' || Array.isArray(data)) {
    const message = `The sheet is ${Array.isArray(data) ? 'a list' : 'a single value'}, not a map.`
    faults.add(
      'E_SHEET_NOT_A_MAP',
      doc.locate([]),
      message,
      'Begin with "version: …", "programs: …" and "cues: …".',
    )
    return undefined
  }
  const long = findLongList(data)
  if (long !== undefined) {
    const help = 'Split the sheet, or shorten the list.'
    const message = `${formatPath(long)} has more than ${MAX_LIST} entries.`
    faults.add('E_TOO_MANY_UNITS', doc.locate(long, 'key'), message, help)
    return undefined
  }
  checkIds(doc, faults)
  const placed = placeRows(doc, options.rowFiles ?? new Map(), faults)
  // Functions compiled for the schema pay in long sheets alone.
  const parsed = sheetSchema.safeParse(data, { jitless: bytes.length < COMPILED_BYTES })
  if (parsed.success)
    return assembleSheet(parsed.data, options, { ...placed, faults, isTainted: () => false })
  explainIssues(parsed.error.issues, doc, faults)
  const { input, tainted } = salvage(data)
  const isTainted = (cue: string) => tainted.has(cue) || tainted.has(EVERY_CUE)
  return input && assembleSheet(input, options, { ...placed, faults, isTainted })
}
