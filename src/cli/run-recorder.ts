/** Keeps the log of the run that this process makes, in the foreground too. It costs the run nothing when it cannot. */
import { messageOf } from '../errors.ts'
import type { RunEvent } from '../run/events.ts'
import { type RecordedRun, recordRun } from '../watch/runs/recorded-run.ts'
import type { NewRun } from '../watch/runs/run-record.ts'
import { printLine } from './print.ts'

const CODE = 'W_RUN_LOG'

export interface RunRecorder {
  readonly onEvent: (event: RunEvent) => void
  /** For a run that waits: takes its record up before its first event. */
  readonly takeUp: () => Promise<void>
  /** Its turn has come. */
  readonly begin: () => Promise<void>
  /** The last thing that is written; without an event before it, nothing is. */
  readonly end: (exitCode: number, error?: unknown) => Promise<void>
}

export function createRunRecorder(out: string, run: NewRun): RunRecorder {
  const warn = (why: string) =>
    printLine(process.stderr, `warning  ${CODE}  the log of this run is not kept: ${why}`)
  let recorded: Promise<RecordedRun | null> | null = null
  let hasBegun = false
  let ending: Promise<void> | null = null
  const takeUp = (): Promise<RecordedRun | null> => {
    recorded ??= recordRun(out, run, warn).catch((error: unknown) => {
      warn(messageOf(error))
      return null
    })
    return recorded
  }
  let version: string | null = null
  const begin = async (): Promise<void> => {
    if (hasBegun) return
    hasBegun = true
    await (await takeUp())?.begin(version)
  }
  return {
    onEvent(event) {
      if (event.type === 'run-planned') version = event.version
      // The lock is held by now: the folder is this run's own.
      void begin().catch((error: unknown) => warn(messageOf(error)))
      void takeUp().then((record) => record?.append(event))
    },
    async takeUp() {
      await takeUp()
    },
    begin,
    async end(exitCode, error) {
      if (recorded === null) return
      // A forced end may come while another is being written.
      ending ??= recorded.then((record) => record?.end(exitCode, error))
      await ending
    },
  }
}
