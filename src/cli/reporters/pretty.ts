/** Progress bars on a terminal: units, steps of the unit in work, uploads; troubles stay readable above them. */
import cliProgress from 'cli-progress'
import { printable } from '../../printable.ts'
import type { RunState } from '../../run/state.ts'
import { printLine, printLines } from '../print.ts'
import { describeChoice, describeEnd, describeTrouble } from './describe.ts'
import type { ReporterStreams, ReportView } from './reporter.ts'

type Bar = ReturnType<cliProgress.MultiBar['create']>

export function createPrettyView({ stderr }: ReporterStreams): ReportView {
  const bars = new cliProgress.MultiBar(
    {
      stream: stderr,
      format: '{name} {bar} {value}/{total} {note}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 28,
      hideCursor: true,
      clearOnComplete: false,
      stopOnComplete: false,
      emptyOnZero: true,
      etaBuffer: 50,
      forceRedraw: true,
      gracefulExit: false,
    },
    cliProgress.Presets.rect,
  )
  let units: Bar | null = null
  let steps: Bar | null = null
  let uploads: Bar | null = null
  let stopped = false
  const stop = () => {
    if (stopped) return
    stopped = true
    if (!bars.isActive) return
    // A last drawing: what was said since the one before would not be shown any more.
    bars.update()
    bars.stop()
  }
  const say = (text: string) => {
    // Text goes above the bars with their next drawing; without bars there is none.
    if (bars.isActive && !stopped) bars.log(`${printable(text)}\n`)
    else printLine(stderr, text)
  }
  const drawUploads = ({ uploads: { expected, sent, failed } }: RunState) => {
    const ended = sent + failed
    if (Math.max(expected, ended) === 0) return
    uploads ??= bars.create(expected, 0, { name: 'uploads', note: '' })
    // The manifest is sent too, and nobody announces it.
    uploads.setTotal(Math.max(expected, ended))
    uploads.update(ended)
  }

  return {
    draw(event, state) {
      for (const text of describeTrouble(event)) say(text)
      const { counts } = state
      switch (event.type) {
        case 'run-planned':
          if (counts.planned > counts.skipped) {
            const note = `(${counts.skipped} already whole)`
            units = bars.create(counts.planned - counts.skipped, 0, { name: 'units  ', note })
            steps = bars.create(state.steps.planned, 0, { name: 'steps  ', note: '' })
          }
          break
        case 'provider-chosen':
          for (const text of describeChoice(event)) say(text)
          break
        case 'model-loaded':
          units?.update({ note: printable(`${event.model} on ${event.provider}`) })
          break
        case 'unit-restarted':
          steps?.update(state.steps.done)
          break
        case 'step': {
          const note = printable(`${event.cue}/${event.variant} ${event.step}/${event.steps}  ${eta(steps)}`)
          steps?.update(state.steps.done, { note })
          break
        }
        case 'unit-finished':
        case 'unit-failed':
          units?.update(counts.done + counts.failed)
          break
        case 'uploads-expected':
        case 'object-uploaded':
        case 'upload-failed':
          drawUploads(state)
          break
        case 'run-finished':
          stop()
          printLines(stderr, describeEnd(event, state.steps.done))
          break
      }
    },
    close: stop,
  }
}

/** Time left, from cli-progress's own estimate over the last steps. */
function eta(bar: Bar | null): string {
  const seconds = bar && 'eta' in bar && isEta(bar.eta) ? bar.eta.getTime() : null
  return seconds === null || !Number.isFinite(seconds) ? '' : `${Math.round(Number(seconds))} s left`
}

function isEta(value: unknown): value is { getTime(): number | string } {
  return (
    typeof value === 'object' && value !== null && 'getTime' in value && typeof value.getTime === 'function'
  )
}
