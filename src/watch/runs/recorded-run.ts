/** A run with its record and its log beside it. */
import type { Confinement } from '../../artifacts/confinement.ts'
import { PregenError, PregenErrors } from '../../errors.ts'
import type { RunEvent } from '../../run/events.ts'
import { reduce } from '../../run/reduce.ts'
import { INITIAL_STATE } from '../../run/state.ts'
import { createRunLog, type RunLog } from './log-writer.ts'
import { makeRunFolder, pruneRuns } from './run-folder.ts'
import { RunList } from './run-list.ts'
import {
  createRecord,
  type NewRun,
  type RunRecord,
  readRunRecord,
  recordTakenUp,
  writeRunRecord,
} from './run-record.ts'
import { resultOf } from './run-status.ts'

export interface RecordedRun {
  readonly inside: Confinement
  /** Its turn has come. @param version where it is known by then */
  readonly begin: (version: string | null) => Promise<void>
  /** Takes an event of the run for the log. */
  readonly append: (event: RunEvent) => void
  /** How it ended; the last thing that is written. */
  readonly end: (exitCode: number, error?: unknown) => Promise<void>
}

/**
 * Takes up a run that was submitted, or records one that begins here.
 * @param onTrouble told once when the log cannot be written: the run goes on without
 * @throws PregenError `E_OUTPUT_SYMLINK` and its kin, where the folder of the runs is not ours
 */
export async function recordRun(
  out: string,
  run: NewRun,
  onTrouble: (why: string) => void,
): Promise<RecordedRun> {
  const inside = makeRunFolder(out, run.id)
  let record: RunRecord = await recordTakenUp((await readRunRecord(inside, run.id)) ?? createRecord(run))
  let isTroubled = false
  const trouble = (why: string) => {
    if (!isTroubled) onTrouble(why)
    isTroubled = true
  }
  const write = async (changes: Partial<RunRecord>): Promise<void> => {
    record = { ...record, ...changes }
    try {
      await writeRunRecord(inside, record)
    } catch (error) {
      // A full disk must not cost the run; a link in the way is an attack, and does.
      if (error instanceof PregenError && !DISK_FAULTS.has(error.code)) throw error
      trouble(error instanceof Error ? error.message : String(error))
    }
  }
  await write({})
  let state = INITIAL_STATE
  const runs = new RunList(out)
  await pruneRuns(inside, (id) => runs.isOver(id))
  const log: RunLog = createRunLog(inside, run.id, trouble)
  return {
    inside,
    begin: (version) => write({ begunAt: new Date().toISOString(), version }),
    append(event) {
      state = reduce(state, event)
      log.append(event)
    },
    async end(exitCode, error) {
      await log.close()
      const result = state.seq === 0 ? null : resultOf(state)
      await write({ endedAt: new Date().toISOString(), exitCode, result, error: describe(error) })
    },
  }
}

/** What a disk does, and nobody on purpose. */
const DISK_FAULTS: ReadonlySet<string> = new Set(['E_DISK_FULL', 'E_WRITE_FAILED'])

/** What a person is told of a run that ended before its time. */
function describe(error: unknown): RunRecord['error'] {
  if (error === undefined) return null
  if (error instanceof PregenErrors) {
    const [first] = error.errors
    const more = error.errors.length > 1 ? `\n(and ${error.errors.length - 1} more)` : ''
    return { code: first?.code ?? 'E_BUG', message: `${first?.message}${more}`, help: first?.help ?? null }
  }
  if (error instanceof PregenError)
    return { code: error.code, message: error.message, help: error.help ?? null }
  return { code: 'E_BUG', message: error instanceof Error ? error.message : String(error), help: null }
}
