import { AXIS_PLACES, type AxisPlace, type GridAxis, type Placement } from '../model/axes.ts'
import type { CueCount } from '../model/cues.ts'

interface Props {
  readonly axes: readonly GridAxis[]
  readonly placement: Placement
  /** `axis:value` */
  readonly hidden: ReadonlySet<string>
  /** From 0. */
  readonly sizeIndex: number
  readonly sizes: number
  readonly cues: readonly CueCount[]
  readonly cue: string
  readonly allCues: string
  readonly saving: string | null
  readonly onChange: (params: Readonly<Record<string, string | null>>) => void
  readonly onSave: () => void
}

const PLACE_NAMES: Readonly<Record<AxisPlace, string>> = {
  cols: 'Columns',
  rows: 'Rows',
  sec: 'Sections',
  sec2: 'and by',
}

export function GridBar(props: Props) {
  const { axes, placement, cues, cue, allCues, onChange } = props
  // Once one place is chosen, all are told, so that the address says the whole.
  const place = (change: Partial<Placement>) => {
    const next = { ...placement, ...change }
    onChange({ ...next, cols: next.cols ?? '-', hide: hideParam(props.hidden) })
  }
  return (
    <div class="bar">
      {cues.length > 1 && (
        <label class="pick">
          <span>Cue</span>
          <select
            value={cue}
            onChange={({ currentTarget }) => onChange({ ...NOTHING, cue: currentTarget.value })}
          >
            {cues.map(({ cue: name, count }) => (
              <option key={name} value={name}>
                {name} ({count})
              </option>
            ))}
            <option value={allCues}>All cues</option>
          </select>
        </label>
      )}
      {AXIS_PLACES.map((name) => (
        <label key={name} class="pick">
          <span>{PLACE_NAMES[name]}</span>
          <select
            value={placement[name] ?? ''}
            onChange={({ currentTarget }) => place(exchange(placement, name, currentTarget.value || null))}
          >
            <option value="">none</option>
            {axes.map((axis) => (
              <option key={axis.name} value={axis.name}>
                {axis.name.replaceAll('_', ' ')}
              </option>
            ))}
          </select>
        </label>
      ))}
      <Values {...props} />
      <label class="pick size">
        <span>Size</span>
        <input
          type="range"
          min={1}
          max={props.sizes}
          value={props.sizeIndex + 1}
          onInput={({ currentTarget }) => onChange({ size: currentTarget.value })}
        />
      </label>
      <span class="space" />
      <button type="button" onClick={props.onSave}>
        <span role="status">{props.saving ?? 'Save as picture'}</span>
      </button>
    </div>
  )
}

const NOTHING = { cols: null, rows: null, sec: null, sec2: null, hide: null }

/** An axis stands in one place only: who takes it gives its own in exchange. */
function exchange(placement: Placement, place: AxisPlace, axis: string | null): Partial<Placement> {
  const other =
    axis === null ? undefined : AXIS_PLACES.find((name) => name !== place && placement[name] === axis)
  return { [place]: axis, ...(other === undefined ? {} : { [other]: placement[place] }) }
}

/** Ticks for every value of the axes that are placed. */
function Values({ axes, placement, hidden, onChange }: Props) {
  const placed = AXIS_PLACES.flatMap((place) => axes.find(({ name }) => name === placement[place]) ?? [])
  if (placed.length === 0) return null
  const toggle = (key: string) => {
    const next = new Set(hidden)
    if (!next.delete(key)) next.add(key)
    onChange({ hide: hideParam(next) })
  }
  return (
    <details class="values">
      <summary>{hidden.size === 0 ? 'Values' : `Values (${hidden.size} hidden)`}</summary>
      <div class="values-box">
        {placed.map((axis) => (
          <fieldset key={axis.name}>
            <legend>{axis.name.replaceAll('_', ' ')}</legend>
            {axis.values.map((value) => {
              const key = `${axis.name}:${value}`
              return (
                <label key={value}>
                  <input type="checkbox" checked={!hidden.has(key)} onChange={() => toggle(key)} />
                  {value}
                </label>
              )
            })}
          </fieldset>
        ))}
      </div>
    </details>
  )
}

function hideParam(hidden: ReadonlySet<string>): string | null {
  if (hidden.size === 0) return null
  return [...hidden]
    .map((key) => {
      const at = key.indexOf(':')
      return `${encodeURIComponent(key.slice(0, at))}:${encodeURIComponent(key.slice(at + 1))}`
    })
    .join('|')
}
