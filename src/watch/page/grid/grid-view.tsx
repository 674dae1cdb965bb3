/** Up to four of the keys by which variants differ: two across and down, two as sections. */
import { useMemo, useState } from 'preact/hooks'
import {
  AXIS_PLACES,
  cellKey,
  defaultPlacement,
  findAxes,
  type GridAxis,
  labelOf,
  layOut,
  type Placement,
} from '../model/axes.ts'
import { countCues } from '../model/cues.ts'
import { countOf } from '../model/format.ts'
import type { ListRow } from '../model/rows.ts'
import { changeParams, textScale, useRoute, useSession, useSize } from '../parts/hooks.ts'
import { VirtualRows } from '../parts/virtual-rows.tsx'
import type { Route } from '../route.ts'
import { GridBar } from './grid-bar.tsx'
import { type GridLine, GridRowView } from './grid-row.tsx'
import { saveGrid } from './save-picture.ts'

const SIZES_PX = [72, 112, 168, 248, 360, 520]
const DEFAULT_SIZE = 3
const LABEL_PX = 132
const NARROW_LABEL_PX = 84
const GAP_PX = 6
const TITLE_PX = 52
const ALL_CUES = '*'

export function GridView() {
  const { home, version, show, variants } = useSession()
  const route = useRoute()
  const [ref, size] = useSize<HTMLDivElement>()
  const [saving, setSaving] = useState<string | null>(null)
  const cues = useMemo(() => countCues(variants), [variants])
  const cue = cueOf(route, cues)
  const members = useMemo(
    () => (cue === ALL_CUES ? variants : variants.filter((variant) => variant.cue === cue)),
    [variants, cue],
  )
  const axes = useMemo(() => findAxes(members), [members])
  const placement = placementOf(route, axes)
  const hidden = hiddenOf(route)
  const sizeIndex = sizeOf(route)
  const { cols, rows, sec, sec2 } = placement
  const hideKey = [...hidden].join('\n')
  const layout = useMemo(
    () => layOut(members, axes, placement, hidden),
    [members, axes, cols, rows, sec, sec2, hideKey],
  )
  const labelWidth = rows === null ? 0 : (size.width < 600 ? NARROW_LABEL_PX : LABEL_PX) * textScale()
  const cell = {
    width: SIZES_PX[sizeIndex] ?? 168,
    height: Math.round((SIZES_PX[sizeIndex] ?? 168) / aspectOf(members)),
  }
  const width = labelWidth + layout.columns.length * (cell.width + GAP_PX)
  const lines = useMemo<readonly GridLine[]>(
    () =>
      layout.sections.flatMap((section): GridLine[] => [
        ...(section.title.length === 0
          ? []
          : [
              {
                kind: 'title' as const,
                key: `title ${section.key}`,
                height: TITLE_PX * textScale(),
                section,
              },
            ]),
        ...section.rows.map((row) => ({
          kind: 'row' as const,
          key: `row ${section.key} ${row.value}`,
          height: cell.height + GAP_PX,
          row,
        })),
      ]),
    [layout, cell.height],
  )
  const shown = layout.sections.reduce(
    (sum, section) => sum + section.rows.reduce((some, row) => some + row.cells.filter(cellKey).length, 0),
    0,
  )
  const save = async () => {
    if (version === null) return
    setSaving('Saving …')
    const name = `${show?.version || version.id}-${cue === ALL_CUES ? 'all' : cue}`
    setSaving(await saveGrid({ home, version, layout, placement, cell, name }))
  }
  const change = (changes: Readonly<Record<string, string | null>>) => changeParams(route, 'grid', changes)
  return (
    <div class="grid">
      <GridBar
        {...{ axes, placement, hidden, sizeIndex, cues, cue }}
        allCues={ALL_CUES}
        sizes={SIZES_PX.length}
        saving={saving}
        onChange={change}
        onSave={() => void save()}
      />
      <p class="visually-hidden" role="status">
        {countOf(shown, 'place')} in {countOf(layout.columns.length, 'column')}
      </p>
      <div class="grid-list">
        <div class="measure" ref={ref} />
        {lines.length === 0 ? (
          <p class="none">Every value is hidden. Tick some again.</p>
        ) : (
          <VirtualRows<GridLine & ListRow>
            rows={lines}
            width={width}
            label="Grid"
            head={
              cols !== null && (
                <div class="grid-head" style={{ width: `${width}px` }}>
                  {labelWidth > 0 && <span class="corner" style={{ width: `${labelWidth}px` }} />}
                  {layout.columns.map((column) => (
                    <span
                      key={String(column)}
                      class="column-label"
                      style={{ width: `${cell.width + GAP_PX}px` }}
                    >
                      {labelOf(cols, column)}
                    </span>
                  ))}
                </div>
              )
            }
            render={(line) => <GridRowView line={line} axis={rows} labelWidth={labelWidth} cell={cell} />}
          />
        )}
      </div>
    </div>
  )
}

/** The cue of the address; else the one with the most variants, which is the one that a grid is for. */
function cueOf({ params }: Route, cues: readonly { cue: string; count: number }[]): string {
  if (params.cue === ALL_CUES || cues.some(({ cue }) => cue === params.cue)) return params.cue ?? ALL_CUES
  return cues.reduce(
    (best, each) => (each.count > best.count ? each : best),
    cues[0] ?? { cue: ALL_CUES, count: 0 },
  ).cue
}

function placementOf({ params }: Route, axes: readonly GridAxis[]): Placement {
  const isTold = AXIS_PLACES.some((place) => params[place] !== undefined)
  if (!isTold) return defaultPlacement(axes)
  const taken = new Set<string>()
  const pick = (place: (typeof AXIS_PLACES)[number]) => {
    const name = axes.find((axis) => axis.name === params[place])?.name ?? null
    if (name === null || taken.has(name)) return null
    taken.add(name)
    return name
  }
  return { cols: pick('cols'), rows: pick('rows'), sec: pick('sec'), sec2: pick('sec2') }
}

/** `hide=seed:3|light:moonlit`; values are percent-encoded once more, so that they may hold the marks. */
function hiddenOf({ params }: Route): ReadonlySet<string> {
  const parts = (params.hide ?? '').split('|').filter((part) => part !== '')
  return new Set(parts.map((part) => part.split(':').map(decodePart).join(':')))
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (error instanceof URIError) return part
    throw error
  }
}

function sizeOf({ params }: Route): number {
  const size = Number(params.size)
  return (Number.isInteger(size) && size >= 1 && size <= SIZES_PX.length ? size : DEFAULT_SIZE) - 1
}

function aspectOf(members: readonly { facts: { width: number | null; height: number | null } }[]): number {
  const known = members.find(({ facts }) => facts.width !== null && facts.height !== null)?.facts
  return known?.width && known.height ? Math.min(2.2, Math.max(0.5, known.width / known.height)) : 1
}
