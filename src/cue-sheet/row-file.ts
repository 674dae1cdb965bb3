/** A file of rows, CSV or JSON Lines: a row is a variant, a column a setting or what a template fills in. */

import { CsvError, parse } from 'csv-parse/sync'
import type { ErrorCode } from '../error-codes.ts'
import { findInvalidUtf8 } from './utf8.ts'

export const MAX_ROW_FILE_BYTES = 1024 * 1024

export interface Row {
  /** In the file, from 1. */
  readonly line: number
  /** By column; text alone in CSV, where an empty cell sets nothing. */
  readonly cells: Readonly<Record<string, unknown>>
}

/** What became of a file that a cue names: its rows, or why there are none. */
export type RowFile =
  | { readonly file: string; readonly rows: readonly Row[] }
  | {
      readonly file: string
      readonly code: ErrorCode
      readonly what: string
      readonly help: string
      readonly line: number | undefined
    }

export interface RowSource {
  /** As messages call it. */
  readonly file: string
  readonly rows: readonly Row[]
}

/** What is wrong with a file of rows, at a line of it. */
export class RowFileError extends Error {
  override readonly name = 'RowFileError'
  readonly line: number
  readonly help: string

  constructor(line: number, message: string, help: string) {
    super(message)
    this.line = line
    this.help = help
  }
}

/** @throws RowFileError */
export function readRows(bytes: Uint8Array, file: string): readonly Row[] {
  const bad = findInvalidUtf8(bytes)
  if (bad >= 0) {
    const line = Buffer.from(bytes.subarray(0, bad)).toString('latin1').split('\n').length
    throw new RowFileError(line, 'A byte here is not UTF-8.', 'Save the file as UTF-8.')
  }
  const text = new TextDecoder().decode(bytes)
  const rows = /\.(?:jsonl|ndjson)$/i.test(file) ? readJsonLines(text) : readCsv(text)
  if (rows.length === 0) throw new RowFileError(1, 'The file has no rows.', 'Add one at least.')
  return rows
}

interface CsvRecord {
  readonly line: number
  readonly record: readonly string[]
}

/** @throws RowFileError */
function readCsv(text: string): Row[] {
  const [head, ...rest] = parseCsv(text)
  const names = (head?.record ?? []).map((name) => name.trim())
  const twice = names.find((name, index) => name === '' || names.indexOf(name) !== index)
  if (twice !== undefined) {
    const what = twice === '' ? 'A column has no name.' : `Two columns are called "${twice.slice(0, 80)}".`
    throw new RowFileError(head?.line ?? 1, what, 'The first line names the columns, each differently.')
  }
  return rest.map(({ record, line }) => {
    if (record.length > names.length) {
      const what = `The row has ${record.length} cells, and the first line names ${names.length} columns.`
      throw new RowFileError(line, what, 'Write a cell with a comma in it in double quotes.')
    }
    const cells = names.flatMap((name, column): [string, string][] => {
      const cell = record[column] ?? ''
      return cell === '' ? [] : [[name, cell]]
    })
    return { line, cells: Object.fromEntries(cells) }
  })
}

function parseCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = []
  try {
    parse(text, {
      bom: true,
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: (record: readonly string[], { lines }) => {
        // The parser counts to the end of a record, which a cell with line breaks puts off.
        const breaks = record.reduce((sum, cell) => sum + cell.split('\n').length - 1, 0)
        records.push({ record, line: lines - breaks })
        return null
      },
    })
    return records
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const { lines } = error
    const help = 'A cell with a quote in it stands in quotes, the quote doubled: "say ""hello""".'
    throw new RowFileError(
      typeof lines === 'number' ? lines : 1,
      `This is no valid CSV (${error.code}).`,
      help,
    )
  }
}

/** @throws RowFileError */
function readJsonLines(text: string): Row[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .flatMap((content, index): Row[] => {
      if (content.trim() === '') return []
      const value = parseLine(content)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        const help = 'Each line is an object such as {"id": "wide", "prompt": "a hill"}.'
        throw new RowFileError(index + 1, 'This line is no JSON object.', help)
      }
      return [{ line: index + 1, cells: Object.fromEntries(Object.entries(value)) }]
    })
}

/** undefined: no JSON. V8's words would quote the file. */
function parseLine(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
