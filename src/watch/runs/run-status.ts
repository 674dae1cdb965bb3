/** What `status --json`, `jobs --json` and the server say of a run: from its record, its log and its process. */
import { join, relative, sep } from 'node:path'
import {
  expectedLeftMs,
  outcomeOf,
  type RunState,
  type UnitProgress,
  unitOf,
  unitsOf,
} from '../../run/state.ts'
import { z } from '../../zod.ts'
import { runFolder, SHEET_COPY } from './run-folder.ts'
import type { RunRecord } from './run-record.ts'

export const RUN_STATES = [
  'queued',
  'running',
  'done',
  'partial',
  'failed',
  'cancelled',
  'drained',
  'died',
] as const
export type RunStateName = (typeof RUN_STATES)[number]

const count = (about: string) => z.int().nonnegative().describe(about)
const nullable = <T extends z.ZodType>(schema: T, about: string) => schema.nullable().describe(about)
const text = (about: string) => z.string().describe(about)
const picture = z.object({
  step: count('Counts from 1.'),
  path: text('On disk, absolute.'),
  url: nullable(z.string(), 'With a server: its address.'),
  animation: nullable(z.string(), 'Of a video whose previews move: the animated WebP beside it, absolute.'),
  animation_url: nullable(z.string(), 'With a server: the address of that.'),
})
const unit = {
  cue: text('Id of the cue.'),
  variant: text('Id of the variant.'),
}
const drawing = z.object({
  ...unit,
  step: count('The last step that is done; 0 before the first.'),
  steps: count('Steps that will be executed.'),
  device: nullable(z.string(), 'What draws it: `cpu:0`.'),
  pictures: z.array(picture).describe('Step pictures so far.'),
})

/** A run in the list. */
export const runSummarySchema = z.object({
  id: text('Such as `20261126-231502-4f7a`; ids sort by time.'),
  state: z
    .enum(RUN_STATES)
    .describe(
      '`drained`: it finished what was in hand, and units are left. `died`: its process is gone without having ended it.',
    ),
  position: nullable(z.int().positive(), 'Place in the queue, from 1; null for a run that does not wait.'),
  command: z.enum(['run', 'upload']).describe('What it does: `upload` draws nothing.'),
  sheet: text('The sheet as it was named; of an upload without one, the folder.'),
  version: nullable(z.string(), 'The version id; null before it was planned.'),
  prefix: nullable(z.string(), 'Key prefix of what it publishes.'),
  out: text('The output folder, absolute.'),
  pid: nullable(z.int().positive(), 'Of its process; null before it has begun.'),
  host: text('The machine it runs on.'),
  submitted_at: text('ISO 8601, UTC.'),
  begun_at: nullable(z.string(), 'When its turn came.'),
  ended_at: nullable(z.string(), 'null while it goes on, and for a run that died.'),
  units: nullable(count(''), 'Units of the run; null before it was planned.'),
  done: count('Units drawn whole.'),
  skipped: count('Units that were whole already.'),
  failed: count('Units that failed.'),
  left: count('Units that are still to come.'),
  eta_seconds: nullable(z.number().nonnegative(), 'Until its end, waiting not counted; null: unknown.'),
  error: nullable(
    z.object({ code: z.string(), message: z.string(), help: z.string().nullable() }),
    'What ended it before its time.',
  ),
  exit_code: nullable(z.int(), 'Of its process.'),
  url: nullable(z.string(), 'With a server: the page that shows it.'),
})

export const runStatusSchema = runSummarySchema.extend({
  detached: z.boolean().describe('Whether it runs in the background.'),
  options: z.array(z.string()).describe('As on the command line.'),
  current: nullable(drawing, 'The unit in the making; the first of several.'),
  drawing: z.array(drawing).describe('All units in the making, one a device.'),
  uploads: z
    .object({ expected: z.int(), sent: count(''), failed: count('') })
    .describe('Objects for the bucket.'),
  finished: z
    .array(z.object({ ...unit, files: z.array(z.string()) }))
    .describe('Finished units, the newest last, with the paths of their files.'),
  failures: z
    .array(
      z.object({ ...unit, stage: z.string(), code: z.string(), message: z.string(), command: z.string() }),
    )
    .describe('Failed units, with the command that does each again.'),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
  continue_command: text('Goes on where the run stopped.'),
})

export type RunSummaryJson = z.infer<typeof runSummarySchema>
export type RunStatusJson = z.infer<typeof runStatusSchema>

export interface StatusInput {
  readonly record: RunRecord
  readonly state: RunState
  readonly out: string
  readonly isAlive: boolean
  /** Runs that wait before it. */
  readonly ahead: number
  /** Address of the page and of files, where a server answers. */
  readonly urls?: { readonly page: string; readonly file: (key: string) => string } | undefined
}

/** What stays of a run in its record when it has ended. */
export function resultOf({ version, prefix, counts, uploads }: RunState): NonNullable<RunRecord['result']> {
  return { version, prefix, ...counts, sent: uploads.sent }
}

/** By the log where it was read, else by what the record kept of it. */
function factsOf({ record, state }: Pick<StatusInput, 'record' | 'state'>) {
  return state.seq === 0 && record.result !== null ? record.result : resultOf(state)
}

/** By SIGHUP, SIGINT, SIGTERM. */
const CANCELLED = new Set([129, 130, 143])
/** Asked to finish what was in hand. */
const DRAINED = 75

export function stateName({
  record,
  state,
  isAlive,
}: Pick<StatusInput, 'record' | 'state' | 'isAlive'>): RunStateName {
  const code = record.exitCode
  if (code === null) {
    const outcome = outcomeOf(state)
    if (outcome !== null) return outcome
  } else {
    if (CANCELLED.has(code)) return 'cancelled'
    if (code === DRAINED) return 'drained'
    if (code === 0) return 'done'
    const { done, skipped, sent } = factsOf({ record, state })
    const some = done + skipped + (record.command === 'upload' ? sent : 0)
    return code === 3 && some > 0 ? 'partial' : 'failed'
  }
  if (!isAlive) return 'died'
  return record.begunAt === null ? 'queued' : 'running'
}

export function runSummaryJson(input: StatusInput): RunSummaryJson {
  const { record, state, out, ahead, urls } = input
  const name = stateName(input)
  const { version, prefix, planned, skipped, done, failed } = factsOf(input)
  const isPlanned = version !== null
  const leftMs = isPlanned ? expectedLeftMs(state) : null
  const isGoing = name === 'queued' || name === 'running'
  const expected = leftMs === null ? record.expectedSeconds : Math.round(leftMs / 100) / 10
  return {
    id: record.id,
    state: name,
    position: name === 'queued' ? ahead + 1 : null,
    command: record.command,
    sheet: record.sheet,
    version,
    prefix,
    out,
    pid: record.pid,
    host: record.host,
    submitted_at: record.submittedAt,
    begun_at: record.begunAt,
    ended_at: record.endedAt ?? state.end?.time ?? null,
    units: isPlanned ? planned : null,
    done,
    skipped,
    failed,
    left: isPlanned ? Math.max(0, planned - skipped - done - failed) : 0,
    eta_seconds: isGoing ? expected : null,
    error: record.error,
    exit_code: record.exitCode,
    url: urls?.page ?? null,
  }
}

/** Of thousands of finished units the newest are named. */
const MAX_FINISHED = 200

export function describeRun(input: StatusInput): RunStatusJson {
  const { record, state, out, urls } = input
  const units = unitsOf(state)
  const again = commandOf(record, out)
  const inHand = state.drawing.flatMap((name) => unitOf(state, name) ?? [])
  const addressOf = (path: string): string | null => {
    const key = relative(out, path).split(sep).join('/')
    return key.startsWith('..') ? null : (urls?.file(key) ?? null)
  }
  const shown = (unit: UnitProgress) => ({
    cue: unit.cue,
    variant: unit.variant,
    step: unit.step,
    steps: unit.steps,
    device: unit.device,
    pictures: unit.previews.map(({ step, path, animation }) => ({
      ...{ step, path, url: addressOf(path), animation },
      animation_url: animation === null ? null : addressOf(animation),
    })),
  })
  const drawn = stateName(input) === 'running' ? inHand.map(shown) : []
  return {
    ...runSummaryJson(input),
    detached: record.detached,
    options: record.options,
    current: drawn[0] ?? null,
    drawing: drawn,
    uploads: state.uploads,
    finished: units
      .filter(({ status }) => status === 'done')
      .slice(-MAX_FINISHED)
      .map(({ cue, variant, files }) => ({ cue, variant, files: [...files] })),
    failures: units
      .filter(({ error }) => error !== null)
      .slice(0, MAX_FINISHED)
      .map(({ cue, variant, error }) => ({
        cue,
        variant,
        stage: error?.stage ?? '',
        code: error?.code ?? '',
        message: error?.message ?? '',
        command: `${again} --cue ${quoted(cue)} --variant ${quoted(variant)}`,
      })),
    warnings: [...state.warnings],
    continue_command: again,
  }
}

/** The command line that does what the run did not get to. */
function commandOf(
  { id, command, sheet, isText, options }: Pick<RunRecord, 'id' | 'command' | 'sheet' | 'isText' | 'options'>,
  out: string,
): string {
  const source = isText ? '-' : quoted(sheet)
  const what = command === 'upload' ? ['upload', quoted(out)] : ['run', source, '--out', quoted(out)]
  const input = isText ? ['<', quoted(join(runFolder(out, id), SHEET_COPY))] : []
  return ['pregen', ...what, ...options.map(quoted), ...input].join(' ')
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
