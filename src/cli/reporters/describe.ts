/** Sentences for events, shared by the plain lines and the bars. */

import { plural } from '../../printable.ts'
import type { RunEvent } from '../../run/events.ts'
import { conceal, hasConcealed } from '../concealed.ts'
import { formatBytes, formatDuration } from './format.ts'

type Finished = Extract<RunEvent, { type: 'run-finished' }>

/** Lines for the events that deserve some however the run is shown; a failed unit's second one says what to do. */
export function describeTrouble(event: RunEvent): string[] {
  switch (event.type) {
    case 'warning':
      return [`warning  ${event.code}  ${messageOfEvent(event)}`]
    case 'preview-failed':
      return [
        `preview failed  ${event.cue}/${event.variant} step ${event.step} (${event.method}): ${messageOfEvent(event)}`,
      ]
    case 'unit-failed':
      return [
        `failed  ${event.cue}/${event.variant}: ${event.stage}: ${messageOfEvent(event)} [${event.code}]`,
        `  ${conceal(event.help)}`,
      ]
    case 'film-failed':
      return [`film failed  ${event.cue}/${event.variant}: ${messageOfEvent(event)} [${event.code}]`]
    case 'upload-failed':
      return [
        `upload failed  ${event.key} after ${plural(event.attempts, 'attempt')}: ${messageOfEvent(event)}`,
      ]
    default:
      return []
  }
}

/** What `auto` took, and why nothing better. */
export function describeChoice({
  provider,
  passedOver,
}: Extract<RunEvent, { type: 'provider-chosen' }>): string[] {
  return passedOver.map((reason) => `on ${provider}, not on ${reason}`)
}

/** The sentence that an event carries, in which variables stand as the sheet has them. */
export function messageOfEvent(event: Extract<RunEvent, { message: string }>): string {
  // What a prompt lost is quoted as the tokenizer reads it: a variable's value could not be found in there.
  const isCut = event.type === 'warning' && event.code === 'W_PROMPT_TRUNCATED' && hasConcealed()
  return conceal(isCut ? (event.message.split('; cut off: ', 1)[0] ?? '') : event.message)
}

/** Nothing was drawn: never "everything is there" where something is not. */
function whyNothing({ skipped, left, uploaded, uploadsFailed }: Finished): string {
  if (skipped + left === 0) return 'nothing to do: this shard or selection is empty'
  if (uploaded > 0 || uploadsFailed > 0 || left > 0) return 'nothing to generate'
  return 'nothing to do: everything is there and whole'
}

/** The summary that ends a run: what was made, where it lies, how fast it went. */
export function describeEnd(event: Finished, stepsDone: number): string[] {
  const counts = [
    `${event.done} done`,
    `${event.skipped} skipped`,
    `${event.failed} failed`,
    ...(event.filmsFailed > 0 ? [`${plural(event.filmsFailed, 'film')} not made`] : []),
    ...(event.left > 0 ? [`${event.left} left`] : []),
    ...(event.uploaded > 0 || event.uploadsFailed > 0 ? [`${event.uploaded} uploaded`] : []),
    ...(event.uploadsFailed > 0 ? [`${event.uploadsFailed} not uploaded`] : []),
  ]
  const lines = [
    `${event.cancelled ? 'cancelled: ' : event.drained ? 'drained: ' : ''}${counts.join(', ')} in ${formatDuration(event.wallMs)}`,
  ]
  if (stepsDone > 0) {
    const perStep = event.sessionRunMs / stepsDone / 1000
    lines.push(
      `${perStep < 0.1 ? perStep.toPrecision(2) : perStep.toFixed(2)} s/step on ${event.provider ?? 'cpu'}, model loaded in ${formatDuration(event.modelLoadMs)}, peak memory ${formatBytes(event.peakRssBytes)}`,
    )
  } else if (event.done === 0 && event.failed === 0 && !event.cancelled && !event.drained) {
    lines.push(whyNothing(event))
  }
  lines.push(event.folder)
  return lines
}
