/** Progress bars on a terminal: units, steps of the unit in work, uploads; troubles stay readable above them. */
import cliProgress from 'cli-progress'
import { printable } from '../../printable.ts'
import { printLine, printLines } from '../print.ts'
import { describeEnd, describeTrouble } from './describe.ts'
import type { Reporter, ReporterStreams } from './reporter.ts'

type Bar = ReturnType<cliProgress.MultiBar['create']>

export function createPrettyReporter({ stderr }: ReporterStreams): Reporter {
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
  let allSteps: Bar | null = null
  let uploads: Bar | null = null
  let steps = 0
  let filesToUpload = 0
  let sent = 0
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

  return {
    expectUploads(change) {
      filesToUpload += change
      if (filesToUpload > 0) uploads ??= bars.create(filesToUpload, 0, { name: 'uploads', note: '' })
      uploads?.setTotal(Math.max(filesToUpload, sent))
    },
    onEvent(event) {
      const trouble = describeTrouble(event)
      if (trouble) say(trouble)
      switch (event.type) {
        case 'run-planned':
          if (event.units > event.skipped) {
            units = bars.create(event.units - event.skipped, 0, {
              name: 'units  ',
              note: `(${event.skipped} already whole)`,
            })
            allSteps = bars.create(event.steps, 0, { name: 'steps  ', note: '' })
          }
          break
        case 'model-loaded':
          units?.update({ note: printable(`${event.model} on ${event.provider}`) })
          break
        case 'step': {
          steps++
          allSteps?.increment(1, {
            note: printable(`${event.cue}/${event.variant} ${event.step}/${event.steps}  ${eta(allSteps)}`),
          })
          break
        }
        case 'unit-finished':
          units?.increment(1)
          filesToUpload += event.files.length
          uploads?.setTotal(filesToUpload)
          break
        case 'unit-failed':
          units?.increment(1)
          break
        case 'object-uploaded':
        case 'upload-failed':
          sent++
          uploads ??= bars.create(filesToUpload, 0, { name: 'uploads', note: '' })
          // Kept units and the manifest are sent too, and nobody finished them just now.
          uploads.setTotal(Math.max(filesToUpload, sent))
          uploads.update(sent)
          break
        case 'run-finished':
          stop()
          printLines(stderr, describeEnd(event, steps))
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
