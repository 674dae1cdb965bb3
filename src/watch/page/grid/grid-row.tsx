import { keyOf } from '../data/show.ts'
import { type Cell, cellKey, type GridRow, type GridSection, labelOf } from '../model/axes.ts'
import type { ListRow } from '../model/rows.ts'
import { VariantPicture } from '../parts/picture.tsx'
import { formatRoute } from '../route.ts'

export type GridLine =
  | (ListRow & { readonly kind: 'title'; readonly section: GridSection })
  | (ListRow & { readonly kind: 'row'; readonly row: GridRow })

interface Props {
  readonly line: GridLine
  /** The axis that goes down. */
  readonly axis: string | null
  readonly labelWidth: number
  readonly cell: { readonly width: number; readonly height: number }
}

export function GridRowView({ line, axis, labelWidth, cell }: Props) {
  if (line.kind === 'title') {
    return (
      <h2 class="section-title">
        {line.section.title.map(({ axis: name, value }) => labelOf(name, value)).join(' · ')}
      </h2>
    )
  }
  return (
    <div class="grid-row">
      {labelWidth > 0 && (
        <span class="row-label" style={{ width: `${labelWidth}px` }}>
          <span>{labelOf(axis, line.row.value)}</span>
        </span>
      )}
      {line.row.cells.map((each) => (
        <CellView key={String(each.column)} cell={each} size={cell} />
      ))}
    </div>
  )
}

function CellView({ cell, size }: { cell: Cell; size: { width: number; height: number } }) {
  const [first, ...others] = cell.variants
  const style = { width: `${size.width}px`, height: `${size.height}px` }
  if (first === undefined) return <span class="cell empty" style={style} />
  return (
    <a
      class="cell"
      style={style}
      key={cellKey(cell)}
      href={formatRoute('gallery', [first.cue, first.variant])}
      aria-label={`${keyOf(first)}${others.length > 0 ? ` and ${others.length} more` : ''}`}
    >
      <VariantPicture variant={first} small={size.width < 200} />
      {others.length > 0 && <span class="more">+{others.length}</span>}
    </a>
  )
}
