/** `run.json`: who runs what, since when, and how it ended. It holds no secret. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { readFileInside, SMALL_BYTES } from '../../artifacts/confined-files.ts'
import { PRIVATE_FILE } from '../../artifacts/confined-folder.ts'
import type { Confinement } from '../../artifacts/confinement.ts'
import { writeFileDurably } from '../../artifacts/durable-write.ts'
import { isHolderAlive, processIdentity } from '../../artifacts/lock-holder.ts'
import { errorCode } from '../../errors.ts'
import { z } from '../../zod.ts'
import { runFolder } from './run-folder.ts'

const time = z.string().max(40)

const recordSchema = z.object({
  id: z.string(),
  /** Records of earlier releases are of runs that draw. */
  command: z.enum(['run', 'upload']).default('run'),
  /** As it was named on the command line; of an upload without one, its folder. */
  sheet: z.string(),
  /** null before the sheet was read. */
  version: z.string().nullable().default(null),
  host: z.string(),
  /** null: submitted, and the process has not begun yet. */
  pid: z.int().positive().nullable(),
  /** Tells the process from a later one with the same PID. */
  process: z.string().nullable(),
  submittedAt: time,
  /** When its turn came; null while it waits. */
  begunAt: time.nullable(),
  endedAt: time.nullable(),
  exitCode: z.int().nullable(),
  /** What the log of a run that has ended comes to, so that a list of runs need not read it; null: nothing was kept. */
  result: z
    .object({
      version: z.string().nullable(),
      prefix: z.string().nullable(),
      planned: z.int(),
      skipped: z.int(),
      done: z.int(),
      failed: z.int(),
      sent: z.int(),
    })
    .nullable()
    .default(null),
  error: z.object({ code: z.string(), message: z.string(), help: z.string().nullable() }).nullable(),
  /** Whether the sheet came as text: a copy stands beside the record. */
  isText: z.boolean().default(false),
  /** Whether it runs in the background. */
  detached: z.boolean(),
  /** Expected when it was submitted, in seconds; null: nothing tells. */
  expectedSeconds: z.number().nullable(),
  /** Options that matter, as on the command line: `--cue dawn*`. */
  options: z.array(z.string()),
})

export type RunRecord = z.infer<typeof recordSchema>

export interface NewRun {
  readonly id: string
  readonly sheet: string
  readonly detached: boolean
  /** Default: a file. */
  readonly isText?: boolean | undefined
  /** Default: `run`. */
  readonly command?: RunRecord['command'] | undefined
  readonly options: readonly string[]
  readonly expectedSeconds?: number | null
}

/** A record of a run that no process has taken up yet. */
export function createRecord(
  { id, sheet, detached, isText = false, command = 'run', options, expectedSeconds = null }: NewRun,
  now = new Date(),
): RunRecord {
  return {
    ...{ id, command, sheet, isText, detached, expectedSeconds, options: [...options] },
    ...{ version: null, host: hostname(), pid: null, process: null, submittedAt: now.toISOString() },
    ...{ begunAt: null, endedAt: null, exitCode: null, result: null, error: null },
  }
}

/** A record that names this process as the one that runs it. */
export async function recordTakenUp(record: RunRecord): Promise<RunRecord> {
  return { ...record, host: hostname(), pid: process.pid, process: await processIdentity(process.pid) }
}

export async function writeRunRecord(inside: Confinement, record: RunRecord): Promise<void> {
  const path = join(runFolder(inside.out, record.id), 'run.json')
  await writeFileDurably(path, Buffer.from(`${JSON.stringify(record, null, 2)}\n`), {
    inside,
    mode: PRIVATE_FILE,
  })
}

/** null: there is none, or none that can be understood. */
export async function readRunRecord(inside: Confinement, id: string): Promise<RunRecord | null> {
  try {
    const { bytes } = await readFileInside(inside, join(runFolder(inside.out, id), 'run.json'), SMALL_BYTES)
    const record = recordSchema.safeParse(JSON.parse(bytes.toString('utf8')))
    return record.success && record.data.id === id ? record.data : null
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR' || error instanceof SyntaxError)
      return null
    throw error
  }
}

/** How long a submitted run may take until its process has written its name. */
const STARTING_MS = 20_000
/** A run on another machine, which cannot be asked, counts as alive while its log moves. */
const QUIET_MS = 10 * 60_000

/**
 * Whether the process of a run that has not ended is still there.
 * @param lastSignMs when its log last moved, for runs of other machines
 */
export async function isRunAlive(record: RunRecord, lastSignMs: number, now = Date.now()): Promise<boolean> {
  const { host, pid, submittedAt } = record
  if (pid === null) return now - Date.parse(submittedAt) < STARTING_MS
  const holder = { host, pid, process: record.process, startedAt: submittedAt, nonce: '' }
  return (await isHolderAlive(holder)) ?? now - Math.max(lastSignMs, Date.parse(submittedAt)) < QUIET_MS
}
