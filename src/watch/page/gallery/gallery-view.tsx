/** All variants of a version, by cue. */
import { useMemo } from 'preact/hooks'
import { keyOf, type Variant, type VariantState } from '../data/show.ts'
import {
  type CueGroup,
  countPrograms,
  countStates,
  type Filter,
  filterVariants,
  groupByCue,
  SORTS,
} from '../model/filter.ts'
import { countOf, formatSeconds } from '../model/format.ts'
import { type GalleryRow, galleryRows } from '../model/gallery-rows.ts'
import { changeParams, navigate, textScale, useRoute, useSession, useSize } from '../parts/hooks.ts'
import { VariantPicture } from '../parts/picture.tsx'
import { VirtualRows } from '../parts/virtual-rows.tsx'
import { formatRoute, type Route } from '../route.ts'
import { DetailPanel } from './detail-panel.tsx'
import { FilterBar } from './filter-bar.tsx'

const TILE_PX = 188
/** Wide screens are looked at from further away. */
function scaleOf(width: number): number {
  return width > 2600 ? 2 : width > 1900 ? 1.4 : 1
}

const STATES: readonly VariantState[] = ['done', 'running', 'waiting', 'failed']

export function GalleryView() {
  const { variants } = useSession()
  const route = useRoute()
  const [ref, size] = useSize<HTMLDivElement>()
  const filter = filterOf(route)
  const { text, program, state, sort } = filter
  const groups = useMemo(
    () => groupByCue(filterVariants(variants, { text, program, state, sort }), sort),
    [variants, text, program, state, sort],
  )
  const [cue, id] = route.path
  const chosen = variants.find((variant) => variant.cue === cue && variant.variant === id) ?? null
  const rows = useMemo(
    () => galleryRows(groups, size.width, TILE_PX * scaleOf(size.width), textScale()),
    [groups, size.width],
  )
  const found = groups.reduce((sum, group) => sum + group.variants.length, 0)
  const close = () => navigate(formatRoute('gallery', [], route.params))
  const showRow =
    chosen === null
      ? undefined
      : rows.findIndex((row) => row.kind === 'tiles' && row.variants.includes(chosen))
  return (
    <div class="gallery" data-open={chosen !== null}>
      <FilterBar
        filter={filter}
        total={variants.length}
        programs={countPrograms(variants)}
        states={countStates(variants)}
        onChange={(change) => changeParams(route, 'gallery', paramsOf({ ...filter, ...change }))}
      />
      <p class="visually-hidden" role="status">
        {countOf(found, 'picture')} shown
      </p>
      <div class="gallery-list">
        <div class="measure" ref={ref} />
        {found === 0 && (
          <p class="none">
            Nothing matches.{' '}
            <button type="button" class="quiet" onClick={() => navigate(formatRoute('gallery'), true)}>
              Show all {variants.length}
            </button>
          </p>
        )}
        {size.width > 0 && found > 0 && (
          <VirtualRows
            rows={rows}
            label="Pictures"
            showRow={showRow}
            render={(row) => <RowOf row={row} route={route} chosen={chosen} />}
          />
        )}
      </div>
      {chosen !== null && <DetailPanel key={keyOf(chosen)} variant={chosen} onClose={close} />}
    </div>
  )
}

function RowOf({ row, route, chosen }: { row: GalleryRow; route: Route; chosen: Variant | null }) {
  if (row.kind === 'cue') return <CueHead group={row.group} />
  return (
    <div class="tiles">
      {row.variants.map((variant) => (
        <a
          key={keyOf(variant)}
          class="tile"
          style={{ width: `${row.tile.width}px` }}
          href={formatRoute('gallery', [variant.cue, variant.variant], route.params)}
          aria-current={variant === chosen ? 'true' : undefined}
        >
          <span class="frame" style={{ height: `${row.tile.height}px` }}>
            <VariantPicture variant={variant} small />
          </span>
          <span class="caption">
            <span class="name">
              <span class="visually-hidden">{variant.cue} / </span>
              {variant.variant}
            </span>
            <span class="time" data-state={variant.state}>
              {noteOf(variant)}
            </span>
          </span>
        </a>
      ))}
    </div>
  )
}

/** How long it took; or what becomes of it, where its old picture is still shown. */
function noteOf({ state, facts }: Variant): string {
  if (state === 'failed') return 'failed'
  if (state === 'running' && facts.sha256 !== null) return 'being drawn'
  return state === 'done' && facts.seconds !== null ? formatSeconds(facts.seconds) : ''
}

function CueHead({ group }: { group: CueGroup }) {
  return (
    <div class="cue-head">
      <h2>
        {group.cue}
        <a class="play-cue" href={formatRoute('replay', [group.cue], { layout: 'cue' })}>
          Replay {group.variants.length > 1 ? `all ${group.variants.length}` : ''}
          <span class="visually-hidden"> of {group.cue}</span>
        </a>
      </h2>
      {group.prompt !== null && <p title={group.prompt}>{group.prompt}</p>}
    </div>
  )
}

function filterOf({ params }: Route): Filter {
  return {
    text: params.q ?? '',
    program: params.program ?? null,
    state: STATES.find((state) => state === params.state) ?? null,
    sort: SORTS.find((sort) => sort === params.sort) ?? 'sheet',
  }
}

function paramsOf({ text, program, state, sort }: Filter): Readonly<Record<string, string | null>> {
  return { q: text, program, state, sort: sort === 'sheet' ? null : sort }
}
