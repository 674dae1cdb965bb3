import type { UnitProgress } from '../../../run/state.ts'
import type { RunEntry } from '../data/run-list.ts'
import type { Live } from './use-live-feed.ts'

interface Props {
  readonly live: Live
  readonly unit: UnitProgress | null
  readonly run: RunEntry
  readonly isWorking: boolean
  /** A step that the viewer holds. */
  readonly heldUrl: string | null
  readonly finalUrl: string | null
}

// A picture of the unit before stays for so many steps: a gap between two pictures would flicker.
const PATIENCE_STEPS = 3

/** The large picture: live, held, or the last one finished. */
export function LiveStage({ live, unit, run, isWorking, heldUrl, finalUrl }: Props) {
  const { shown } = live
  const isOwn = unit !== null && shown?.key === `${unit.cue}/${unit.variant}`
  const isLate = unit !== null && !isOwn && unit.step >= PATIENCE_STEPS
  const showsCanvas = isWorking && shown !== null && !isLate && heldUrl === null
  const still = heldUrl ?? (showsCanvas ? null : finalUrl)
  const ratio = shown === null ? 1 : shown.width / shown.height
  return (
    <figure class="live-stage">
      <canvas
        ref={live.canvas}
        role="img"
        aria-label={
          unit === null ? 'The picture in the making' : `${unit.cue} / ${unit.variant} in the making`
        }
        hidden={!showsCanvas}
        style={{ '--ratio': ratio }}
      />
      {still !== null && <img src={still} alt={unit === null ? '' : `${unit.cue} / ${unit.variant}`} />}
      {!showsCanvas && still === null && <p class="live-none">{sentence()}</p>}
    </figure>
  )

  function sentence(): string {
    if (run.state === 'queued') return 'Waiting for its turn on this folder.'
    if (run.state === 'died') return 'The process of this run is gone. What was finished is kept.'
    if (!isWorking) return 'The run is over.'
    if (unit === null) return 'The model is being loaded.'
    if (isLate) return 'This program makes no pictures of its steps; the final one will be here.'
    return 'The first picture comes after its first step.'
  }
}
