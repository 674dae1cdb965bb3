/** Runs as `GET /api/runs` lists them. Fields that are missing stay null. */
import { isRecord } from '../../player/timeline.ts'
import { finiteNumber, stringOrNull } from './show.ts'

export interface RunEntry {
  readonly id: string
  /** `queued`, `running`, `done`, `partial`, `failed`, `cancelled`, `died`. */
  readonly state: string
  readonly position: number | null
  readonly etaSeconds: number | null
  readonly version: string | null
  /** Sends pictures, and draws none. */
  readonly isUpload: boolean
  readonly sheet: string | null
  readonly out: string | null
  /** Where the version's files are: `foigoi/demo`. */
  readonly prefix: string | null
  readonly units: number | null
  readonly error: string | null
}

const AT_WORK = new Set(['running', 'queued'])

/** Of a list, or of `{ runs: [...] }`; entries without an id are left out. The newest first, by id. */
export function readRuns(value: unknown): RunEntry[] {
  const list = Array.isArray(value) ? value : isRecord(value) && Array.isArray(value.runs) ? value.runs : []
  const runs = list.flatMap((entry: unknown) => readRun(entry) ?? [])
  return runs.sort((a, b) => (a.id < b.id ? 1 : -1))
}

function readRun(entry: unknown): RunEntry | null {
  const id = isRecord(entry) ? stringOrNull(entry.id) : null
  if (!isRecord(entry) || id === null) return null
  const { error } = entry
  return {
    id,
    state: stringOrNull(entry.state) ?? 'unknown',
    position: finiteNumber(entry.position),
    etaSeconds: finiteNumber(entry.eta_seconds),
    version: stringOrNull(entry.version),
    isUpload: stringOrNull(entry.command) === 'upload',
    sheet: stringOrNull(entry.sheet),
    out: stringOrNull(entry.out),
    prefix: stringOrNull(entry.prefix),
    units: finiteNumber(entry.units),
    error: isRecord(error) ? stringOrNull(error.message) : stringOrNull(error),
  }
}

/** The one to look at: what runs, else what waits, else the newest. */
export function pickRun(all: readonly RunEntry[]): RunEntry | null {
  const runs = all.filter(({ isUpload }) => !isUpload)
  return (
    runs.find(({ state }) => state === 'running') ??
    runs.findLast(({ state }) => state === 'queued') ??
    runs[0] ??
    null
  )
}

export function isAtWork(run: Pick<RunEntry, 'state'>): boolean {
  return AT_WORK.has(run.state)
}
