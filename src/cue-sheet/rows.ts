/** A cue's `rows`: the file's rows as part of the sheet, with places of their own, and the variants that they make. */
import type { SourceLocation } from '../errors.ts'
import type { SheetDocument } from './convert.ts'
import { explainIssues } from './explain-issues.ts'
import { type Faults, formatPath, quoteName, type SheetPath } from './faults.ts'
import type { LayerContext } from './layer-context.ts'
import { type Layer, type Merged, mergeLayer, readLayer } from './layers.ts'
import type { RowFile, RowSource } from './row-file.ts'
import { layerSchema } from './schema.ts'
import { isSettingKey } from './setting-types.ts'

const MAX_ROW_FILES = 100

/** The values of `rows` that a sheet's data has, each once. */
export function rowFilesIn(data: unknown): string[] {
  const cues = entriesOf(entry(data, 'cues'))
  const names = cues.map(([, cue]) => entry(cue, 'rows'))
  return [...new Set(names.filter((name) => typeof name === 'string' && name !== ''))].slice(
    0,
    MAX_ROW_FILES,
  ) as string[]
}

/** The rows of every cue, and the sheet with them in place of the files' names. */
export function placeRows(
  doc: SheetDocument,
  files: ReadonlyMap<string, RowFile>,
  faults: Faults,
): { readonly doc: SheetDocument; readonly rows: ReadonlyMap<string, RowSource> } {
  const rows = new Map<string, RowSource>()
  for (const [cue, content] of entriesOf(entry(doc.data, 'cues'))) {
    const name = entry(content, 'rows')
    if (typeof name !== 'string' || name === '') continue
    const found = files.get(name)
    const path = ['cues', cue, 'rows']
    if (found !== undefined && 'rows' in found) rows.set(cue, found)
    else if (found === undefined) {
      faults.add(
        'E_ROWS_FILE',
        doc.locate(path),
        `${formatPath(path)} is not read here.`,
        `A sheet may name ${MAX_ROW_FILES} files.`,
      )
    } else {
      const { code, what, help, file, line } = found
      const location = line === undefined ? doc.locate(path) : { file, line }
      faults.add(code, location, line === undefined ? `${formatPath(path)}: ${what}` : what, help)
    }
  }
  if (rows.size === 0) return { doc, rows }
  const rowAt = (path: SheetPath) => {
    const [top, cue, key, index] = path
    if (top !== 'cues' || key !== 'rows' || typeof index !== 'number') return undefined
    const source = rows.get(String(cue))
    const row = source?.rows[index]
    return source && row && { file: source.file, row }
  }
  const locate: SheetDocument['locate'] = (path, at): SourceLocation => {
    const found = rowAt(path)
    return found ? { file: found.file, line: found.row.line } : doc.locate(path, at)
  }
  const written: SheetDocument['written'] = (path) => {
    const found = rowAt(path)
    if (!found) return doc.written(path)
    const cell = found.row.cells[String(path[4])]
    return typeof cell === 'object' || cell === undefined ? undefined : String(cell)
  }
  return { doc: { ...doc, locate, written }, rows }
}

export interface RowVariant extends Merged {
  readonly id: string
  readonly path: SheetPath
  readonly axes: ReadonlyMap<string, string>
}

export function rowVariants(cue: string, base: Merged, context: LayerContext): RowVariant[] {
  const source = context.rows?.get(cue)
  if (source === undefined) return []
  const free = freeColumns(source)
  return source.rows.map(({ cells }, index) => {
    const path: SheetPath = ['cues', cue, 'rows', index]
    const { id } = cells
    const merged = Object.keys(cells)
      .filter((key) => isSettingKey(key))
      .reduce((below: Merged, key) => {
        const layer = readCell(key, cells[key], [...path, key], context)
        return layer === null ? below : mergeLayer(below, layer)
      }, base)
    const axes = new Map(free.map((name) => [name, textOf(cells[name], [...path, name], context)]))
    return {
      id: id === undefined ? `row-${index + 1}` : textOf(id, [...path, 'id'], context),
      path,
      axes,
      ...merged,
    }
  })
}

/** Columns that only a template can use. */
function freeColumns({ rows }: RowSource): string[] {
  const columns = new Set(rows.flatMap(({ cells }) => Object.keys(cells)))
  return [...columns].filter((name) => name !== 'id' && !isSettingKey(name))
}

/** A column that sets nothing and fills nothing is a slip. */
export function checkColumns(cue: string, used: ReadonlySet<string>, context: LayerContext): void {
  const source = context.rows?.get(cue)
  if (source === undefined) return
  for (const name of freeColumns(source)) {
    if (used.has(name)) continue
    const message = `The column ${quoteName(name)} is no setting, and no prompt_template of cues.${cue} has it in braces.`
    const help = `Name a setting, put {${name.slice(0, 80)}} into prompt_template, or take the column away.`
    context.faults.add('E_ROWS_COLUMN', { file: source.file, line: 1 }, message, help)
  }
}

/** What one cell sets: as it stands, or as the number or the yes or no that its text reads as; null after a fault. */
function readCell(key: string, cell: unknown, at: SheetPath, context: LayerContext): Layer | null {
  const parsed = [cell, typed(cell)].map((value) => layerSchema.safeParse({ [key]: value }))
  const fit = parsed.find(({ success }) => success)
  if (fit?.data !== undefined) return readLayer(fit.data, () => at, context)
  const issues = (parsed[1]?.error?.issues ?? []).map((issue) => ({
    ...issue,
    path: [...at, ...issue.path.slice(1)],
  }))
  explainIssues(
    issues,
    {
      ...context.doc,
      data: { cues: { [String(at[1])]: { rows: { [String(at[3])]: { [key]: typed(cell) } } } } },
    },
    context.faults,
  )
  return null
}

function typed(cell: unknown): unknown {
  if (typeof cell !== 'string') return cell
  if (cell === 'true' || cell === 'false') return cell === 'true'
  return /^-?\d{1,15}(?:\.\d{1,15})?$/.test(cell) ? Number(cell) : cell
}

function textOf(cell: unknown, at: SheetPath, { doc, faults }: LayerContext): string {
  if (cell === undefined || cell === null) return ''
  if (typeof cell !== 'object') return String(cell)
  faults.add(
    'E_BAD_VALUE',
    doc.locate(at),
    `${formatPath(at)} is a list or a map.`,
    'It must be text, a number, true or false.',
  )
  return ''
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}

function entry(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined
}
