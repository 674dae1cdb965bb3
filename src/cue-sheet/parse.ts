/** A sheet's bytes → a checked sheet, or every fault at once. */
import { assembleSheet } from './assemble.ts'
import { checkIds } from './check-ids.ts'
import { convertSheet, type SheetDocument } from './convert.ts'
import { decodeSheet, EMPTY_HELP } from './decode.ts'
import { explainIssues, valueAt } from './explain-issues.ts'
import { Faults, type SheetPath } from './faults.ts'
import type { ParseSheetOptions } from './options.ts'
import { plainDocument } from './plain-document.ts'
import { scanSheet } from './scan.ts'
import { isIdMap, isTextSetting, type SheetInput, sheetSchema } from './schema.ts'
import type { CueSheet } from './sheet.ts'

/** @throws PregenErrors with every fault, each with file, line and column */
export function parseCueSheet(bytes: Uint8Array, options: ParseSheetOptions): CueSheet {
  const faults = new Faults()
  const sheet = parseOrFault(bytes, options, faults)
  faults.throwIfAny()
  if (sheet === undefined) throw new Error('a sheet was given up without a fault')
  return { ...sheet, warnings: faults.warnings }
}

function parseOrFault(
  bytes: Uint8Array,
  options: ParseSheetOptions,
  faults: Faults,
): Omit<CueSheet, 'warnings'> | undefined {
  const text = decodeSheet(bytes, options.file, faults)
  if (text === undefined) return undefined
  const readFully = (into: Faults): SheetDocument | undefined => {
    const scanned = scanSheet(text, options.file, into)
    return scanned && convertSheet(scanned, { env: options.env, faults: into, isIdMap, isTextSetting })
  }
  const doc = plainDocument(text, readFully) ?? readFully(faults)
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
  checkIds(doc, faults)
  const parsed = sheetSchema.safeParse(data)
  if (parsed.success) return assembleSheet(parsed.data, options, { doc, faults, isTainted: () => false })
  explainIssues(parsed.error.issues, doc, faults)
  const { input, tainted } = salvage(data)
  const isTainted = (cue: string) => tainted.has(cue) || tainted.has(ALL)
  return input && assembleSheet(input, options, { doc, faults, isTainted })
}

/** Stands for every cue in the set of those that lost something. */
const ALL = Symbol('all cues')

const MAX_ROUNDS = 32

/**
 * Takes faulty parts out until the rest has the right shape, so that it is judged in the same pass. Where a part is
 * missing, what misses it goes.
 */
function salvage(data: object): { input: SheetInput | undefined; tainted: ReadonlySet<string | symbol> } {
  const tainted = new Set<string | symbol>()
  let rest: unknown = data
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const parsed = sheetSchema.safeParse(rest)
    if (parsed.success) return { input: parsed.data, tainted }
    // Last first, so that an index into a list still holds when its turn comes.
    for (const issue of parsed.error.issues.toReversed()) {
      const at: SheetPath = issue.path.filter((part) => typeof part !== 'symbol')
      const doomed = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...at, key]) : [at]
      for (const path of doomed) {
        const gone = valueAt(rest, path) === undefined ? path.slice(0, -1) : path
        if (gone.length === 0) return { input: undefined, tainted }
        rest = without(rest, gone)
        if (path[0] === 'cues' && typeof path[1] === 'string') tainted.add(path[1])
        else if (path[0] === 'defaults' || path[0] === 'programs') tainted.add(ALL)
      }
    }
  }
  return { input: undefined, tainted }
}

/** A copy of `data` without the value at `path`. */
function without(data: unknown, path: SheetPath): unknown {
  const [first, ...others] = path
  if (first === undefined || typeof data !== 'object' || data === null) return data
  if (Array.isArray(data)) {
    return data.flatMap((item, index) =>
      index !== first ? [item] : others.length === 0 ? [] : [without(item, others)],
    )
  }
  const entries = Object.entries(data).flatMap(([key, value]) => {
    if (key !== first) return [[key, value] as const]
    return others.length === 0 ? [] : [[key, without(value, others)] as const]
  })
  return Object.fromEntries(entries)
}
