import { useState } from 'preact/hooks'
import type { QueueUnit } from '../data/queue-list.ts'
import { countOf, formatLeft } from '../model/format.ts'
import { sortUnits } from '../model/queue.ts'

/** A farm of a thousand machines is no page of a thousand lines, unless somebody wants it. */
const SHOWN = 12

/** The machines at work on a sheet: what each draws, and how far it is. */
export function MachineTable({ units, sheet }: { units: readonly QueueUnit[]; sheet: string }) {
  const [isWhole, setWhole] = useState(false)
  const sorted = sortUnits(units)
  const shown = isWhole ? sorted : sorted.slice(0, SHOWN)
  const now = Date.now()
  return (
    <div class="queue-machines">
      <table>
        <caption class="visually-hidden">Machines at work on {sheet}</caption>
        <thead>
          <tr>
            <th scope="col">Machine</th>
            <th scope="col">Unit</th>
            <th scope="col" class="number">
              Step
            </th>
            <th scope="col" class="number queue-since">
              For
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((unit, place) => (
            // Two jobs of one device exist for the moment between them.
            <tr key={`${unit.machine} ${unit.device} ${place}`}>
              <td>
                {unit.machine}
                {unit.device !== null && <span class="dim queue-device">{unit.device}</span>}
              </td>
              <td>
                {unit.cue === null || unit.variant === null ? (
                  <span class="dim">getting ready</span>
                ) : (
                  `${unit.cue} / ${unit.variant}`
                )}
              </td>
              <td class="number">
                <Steps step={unit.step} steps={unit.steps} />
              </td>
              <td class="number dim queue-since">
                {unit.since === null ? '' : formatLeft(Math.max(0, now - unit.since))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > SHOWN && (
        <button type="button" class="quiet" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
          {isWhole ? `Show ${SHOWN} alone` : `Show all ${countOf(sorted.length, 'unit')} in work`}
        </button>
      )}
    </div>
  )
}

function Steps({ step, steps }: Pick<QueueUnit, 'step' | 'steps'>) {
  if (step === null || steps === null || steps <= 0) return null
  return (
    <span class="queue-steps">
      <progress class="bar-progress" max={steps} value={Math.min(step, steps)} aria-hidden="true" />
      <span>
        {step} of {steps}
      </span>
    </span>
  )
}
