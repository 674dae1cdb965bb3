import type { VariantState } from '../data/show.ts'
import { type Filter, SORTS, type Sort } from '../model/filter.ts'

interface Props {
  readonly filter: Filter
  readonly total: number
  readonly programs: readonly (readonly [string, number])[]
  readonly states: Readonly<Record<VariantState, number>>
  readonly onChange: (change: Partial<Filter>) => void
}

const SORT_NAMES: Readonly<Record<Sort, string>> = {
  sheet: 'As in the sheet',
  name: 'By name',
  slowest: 'Slowest first',
  seed: 'By seed',
}

const STATE_NAMES: Readonly<Record<VariantState, string>> = {
  done: 'Done',
  running: 'Running',
  waiting: 'Waiting',
  failed: 'Failed',
}

export function FilterBar({ filter, total, programs, states, onChange }: Props) {
  const isAll = filter.program === null && filter.state === null
  // States are worth a choice only where there are several.
  const shown = (Object.keys(STATE_NAMES) as VariantState[]).filter(
    (state) => states[state] > 0 && states[state] < total,
  )
  return (
    <search class="bar">
      <input
        type="search"
        placeholder="Filter by prompt, id, seed"
        aria-label="Filter by prompt, id, seed"
        value={filter.text}
        onInput={({ currentTarget }) => onChange({ text: currentTarget.value })}
      />
      <select
        aria-label="Order"
        value={filter.sort}
        onChange={({ currentTarget }) =>
          onChange({ sort: SORTS.find((sort) => sort === currentTarget.value) ?? 'sheet' })
        }
      >
        {SORTS.map((sort) => (
          <option key={sort} value={sort}>
            {SORT_NAMES[sort]}
          </option>
        ))}
      </select>
      <fieldset class="chips">
        <legend class="visually-hidden">Show</legend>
        <Chip on={isAll} onClick={() => onChange({ program: null, state: null })} name="All" count={total} />
        {programs.length > 1 &&
          programs.map(([program, count]) => (
            <Chip
              key={program}
              on={filter.program === program}
              onClick={() => onChange({ program: filter.program === program ? null : program })}
              name={program === '' ? 'no program' : program}
              count={count}
            />
          ))}
        {shown.map((state) => (
          <Chip
            key={state}
            on={filter.state === state}
            onClick={() => onChange({ state: filter.state === state ? null : state })}
            name={STATE_NAMES[state]}
            count={states[state]}
            bad={state === 'failed'}
          />
        ))}
      </fieldset>
    </search>
  )
}

interface ChipProps {
  readonly on: boolean
  readonly name: string
  readonly count: number
  readonly bad?: boolean
  readonly onClick: () => void
}

function Chip({ on, name, count, bad = false, onClick }: ChipProps) {
  return (
    <button type="button" class="chip" aria-pressed={on} data-bad={bad || undefined} onClick={onClick}>
      {name} <span class="count">{count}</span>
    </button>
  )
}
