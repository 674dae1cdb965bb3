import { type Choice, cueAfter, SPEEDS, STAGE_LAYOUTS, type StageLayout } from './choice.ts'
import type { ReplayEngine } from './engine.ts'
import { textOf } from './scrubber.tsx'

interface Props {
  readonly engine: ReplayEngine
  readonly choice: Choice
  readonly onChange: (params: Readonly<Record<string, string | null>>) => void
  readonly onFull: () => void
  readonly onMove: (places: number) => void
}

const LAYOUT_NAMES: Readonly<Record<StageLayout, string>> = {
  one: 'One',
  side: 'Side by side',
  slider: 'Slider',
  cue: 'Whole cue',
}
const SPEED_NAMES: Readonly<Record<number, string>> = {
  0.25: '×¼',
  0.5: '×½',
  1: '×1',
  2: '×2',
  4: '×4',
  8: '×8',
}

export function ControlBar({ engine, choice, onChange, onFull, onMove }: Props) {
  const { lead } = engine
  const { layout, speed, loop, fade, list } = choice
  return (
    // Clicks leave the focus where it is, so that the space bar goes on to play and pause.
    // biome-ignore lint/a11y/noStaticElementInteractions: it takes no action of its own
    <div
      class="controls"
      onMouseDown={(event) => event.target instanceof HTMLButtonElement && event.preventDefault()}
    >
      <button
        type="button"
        class="play"
        disabled={!engine.ready || lead === null}
        onClick={() => (engine.playing ? engine.pause() : engine.play())}
      >
        {engine.playing ? 'Pause' : 'Play'}
      </button>
      <select
        aria-label="Speed"
        value={speed}
        onChange={({ currentTarget }) =>
          onChange({ speed: currentTarget.value === '1' ? null : currentTarget.value })
        }
      >
        {SPEEDS.map((each) => (
          <option key={each} value={each}>
            {SPEED_NAMES[each]}
          </option>
        ))}
      </select>
      <button type="button" aria-pressed={loop} onClick={() => onChange({ loop: loop ? null : '1' })}>
        Loop
      </button>
      <span class="readout">
        {lead === null ? '' : textOf(engine.frame, lead.steps, engine.positionMs, engine.totalMs)}
      </span>
      <span class="space" />
      {list.length > 0 && (
        <span class="group">
          <button type="button" disabled={cueAfter(choice, -1) === null} onClick={() => onMove(-1)}>
            Previous
          </button>
          <button type="button" disabled={cueAfter(choice, 1) === null} onClick={() => onMove(1)}>
            Next
          </button>
        </span>
      )}
      <button
        type="button"
        class="fade"
        aria-pressed={fade}
        onClick={() => onChange({ fade: fade ? null : '1' })}
      >
        Cross-fade
      </button>
      <fieldset class="group layouts">
        <legend class="visually-hidden">Layout</legend>
        {STAGE_LAYOUTS.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={layout === name}
            onClick={() => onChange({ layout: name === 'one' ? null : name })}
          >
            {LAYOUT_NAMES[name]}
          </button>
        ))}
      </fieldset>
      <button type="button" class="full" onClick={onFull}>
        Full screen
      </button>
    </div>
  )
}
