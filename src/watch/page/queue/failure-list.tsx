import { useState } from 'preact/hooks'
import type { QueueSheet } from '../data/queue-list.ts'
import { retryLine } from '../model/command.ts'
import { countOf } from '../model/format.ts'
import { groupFailures, nameSome } from '../model/queue.ts'
import { CopyCommand } from '../parts/copy.tsx'

const SHOWN = 3

/** What was given up, by its reason, and the command that tries it again. */
export function FailureList({ sheet }: { sheet: QueueSheet }) {
  const [isWhole, setWhole] = useState(false)
  const groups = groupFailures(sheet.failures)
  const shown = isWhole ? groups : groups.slice(0, SHOWN)
  const untold = sheet.failed - sheet.failures.length
  return (
    <div class="queue-failures">
      {shown.map(({ code, message, units, machines, tries }) => (
        <div key={`${code} ${message}`} class="failure">
          <h3>{nameSome(units)}</h3>
          <p>
            {message}
            {code !== null && <span class="dim"> ({code})</span>}
          </p>
          <p class="dim">
            given up after {tries === 1 ? 'one try' : `${tries} tries`}
            {machines.length > 0 && `, last on ${nameSome(machines)}`}
          </p>
        </div>
      ))}
      {groups.length > SHOWN && (
        <button type="button" class="quiet" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
          {isWhole ? 'Show fewer' : `Show all ${groups.length} reasons`}
        </button>
      )}
      {untold > 0 && <p class="dim">{countOf(untold, 'failed job')} more</p>}
      <CopyCommand command={retryLine(sheet.id)} />
    </div>
  )
}
