/**
 * What a run says while it works, as one schema: the types below, docs/events.md's tables and the reading of a run's log
 * derive from it. Reporters draw these; nothing else in the core prints.
 */
import { z } from '../zod.ts'

const whole = (about: string) => z.int().describe(about)
const text = (about = '') => z.string().describe(about)
const flag = (about: string) => z.boolean().describe(about)
const texts = (about: string) => z.array(z.string()).readonly().describe(about)

const unit = { cue: text(), variant: text() }
const device = { device: text('What it runs on and which of them: `cpu:0`, `cuda:1`, …') }
const stepsToCome = { steps: whole('Steps that will be executed.') }

const plannedUnit = z
  .object({
    ...unit,
    program: text('The id of its program.'),
    ...stepsToCome,
    action: z.enum(['run', 'skip']),
    axes: z
      .record(z.string(), z.string())
      .readonly()
      .optional()
      .describe('Of a matrix: its keys with its values.'),
  })
  .readonly()

/** Fields of every event beside `type`, `run`, `seq` and `time`. */
export const EVENT_FIELDS = {
  'run-planned': z.object({
    units: whole('Units of this run: of the shard and of `--cue`, `--variant`, `--program`.'),
    skipped: whole('Units that are whole already.'),
    steps: whole('Steps that will be executed.'),
    shard: z.string().nullable().describe('`2/5`, or null for the whole sheet.'),
    version: text('The version id.'),
    out: text('The output folder, absolute.'),
    prefix: text('Key prefix of all that is published: `foigoi/<version>`.'),
    plan: z
      .array(plannedUnit)
      .readonly()
      .describe(
        "Every unit, in the order of the sheet: `cue`, `variant`, `program`, `steps`, `action` (`run` or `skip`), and `axes` where a matrix made it: its keys with this unit's values.",
      ),
  }),
  'provider-chosen': z.object({
    provider: text('What `auto` took: `cpu`, …'),
    ...device,
    passedOver: texts('Better ones that do not work here: each with its reason and what to do.'),
  }),
  'model-loaded': z.object({
    model: text('Its id in the sheet.'),
    provider: text('What it runs on: `cpu`, `cuda`, …'),
    ...device,
    prompts: whole('How many prompts were encoded there: of several devices, one encodes them for all.'),
    durationMs: whole('Time spent on loading this model.'),
  }),
  'device-warmed': z.object({
    ...device,
    width: whole('Pixels.'),
    height: whole('Pixels.'),
    batch: whole('Pictures in one call.'),
    durationMs: whole('Time of the first call at this size, which is in no unit and in no `timing.json`.'),
  }),
  'batch-chosen': z.object({
    ...device,
    width: whole('Pixels.'),
    height: whole('Pixels.'),
    batch: whole('Pictures in one call from now on, at this size.'),
    stepMs: z
      .array(z.object({ batch: z.number(), ms: z.number() }))
      .describe('What a step took for each picture, by pictures in one call: `[{"batch":1,"ms":41}, …]`.'),
  }),
  warning: z.object({
    code: text('A `W_…` code; [errors.md](errors.md#warnings) lists them.'),
    message: text('For people.'),
  }),
  'run-finished': z.object({
    done: whole('Units drawn whole.'),
    skipped: whole('Units that were whole already.'),
    failed: whole('Units that failed.'),
    left: whole('Units not tried: the run was cancelled, drained, or stopped by `--fail-fast`.'),
    cancelled: flag('Whether a signal ended it.'),
    // Logs of earlier releases have none.
    drained: flag('Whether it was drained: what was in hand is finished, and units are left.').default(false),
    uploaded: whole('Objects sent to the bucket.'),
    uploadsFailed: whole('Objects that could not be sent.'),
    filmsFailed: whole('Films that could not be made.'),
    wallMs: whole('From before the sheet was read until now.'),
    sessionRunMs: whole("Time inside ONNX Runtime's `session.run`, all calls added up."),
    modelLoadMs: whole('Time spent on loading models.'),
    peakRssBytes: whole('Most memory that the process had, and each of its worker processes, added up.'),
    provider: z.string().nullable().describe('What the last model ran on; null when none was loaded.'),
    version: text('The version id.'),
    folder: text("Where the version's tree lies, absolute."),
  }),
  'unit-skipped': z.object({
    ...unit,
    reason: text('`complete`, `whole in the bucket`, `pulled from the bucket`.'),
  }),
  'unit-started': z.object({
    ...unit,
    program: text('The id of its program.'),
    seed: text('Text, because seeds go up to 2⁶⁴ − 1.'),
    ...stepsToCome,
    ...device,
  }),
  'unit-restarted': z.object({ ...unit, reason: text('For people.'), ...device }),
  step: z.object({
    ...unit,
    step: whole(''),
    ...stepsToCome,
    durationMs: whole('Of this step. `timing.json` has the exact account.'),
    ...device,
  }),
  frame: z.object({
    ...unit,
    frame: whole('The last one that is decoded, from 1.'),
    frames: whole('That the video will have.'),
  }),
  preview: z.object({
    ...unit,
    step: whole(''),
    path: text('The file, absolute.'),
    animation: z
      .string()
      .nullable()
      .describe('Of a video whose previews move: the animated WebP beside it, absolute; else null.'),
  }),
  'preview-failed': z.object({
    ...unit,
    step: whole(''),
    method: text('`latent2rgb`, `taesd` or `full`.'),
    message: text('For people.'),
  }),
  'unit-finished': z.object({
    ...unit,
    files: texts('Its files, absolute.'),
    durationMs: whole('From `unit-started` to its last file.'),
  }),
  'unit-failed': z.object({
    ...unit,
    stage: text(
      '`prepare`, `load model`, `text encode`, `image encode`, `denoise step 3`, `vae decode`, `preview`, `write`, …',
    ),
    code: text('An `E_…` code; [errors.md](errors.md) lists them.'),
    message: text('For people.'),
    help: text('What to do about it.'),
  }),
  'film-made': z.object({ ...unit, path: text('The file, or the folder of numbered pictures, absolute.') }),
  'film-failed': z.object({
    ...unit,
    code: text('An `E_…` code; [errors.md](errors.md) lists them.'),
    message: text('For people.'),
  }),
  'uploads-expected': z.object({
    objects: whole('So many more are to come; below zero where the bucket turns out to have them.'),
  }),
  'object-uploaded': z.object({
    key: text('Its key, without `storage.prefix`.'),
    sizeBytes: whole(''),
    attempts: whole('Tries that it took, 1 or more.'),
  }),
  'upload-failed': z.object({ key: text(), attempts: whole(''), message: text('For people.') }),
} as const

export type RunEventType = keyof typeof EVENT_FIELDS

/** An event without what the stream adds. */
export type RunEventBody = {
  [Type in RunEventType]: { readonly type: Type } & Readonly<z.infer<(typeof EVENT_FIELDS)[Type]>>
}[RunEventType]

/** What the stream adds to every event. */
export const STAMP_FIELDS = z.object({
  run: text("The run's id, such as `20261126-231502-4f7a`; ids sort by time."),
  seq: whole('Counts from 1, without gaps.'),
  time: text('ISO 8601, UTC. Of a `step`, when it ended: steps of less than 50 ms are told together.'),
})

export type RunEvent = RunEventBody & Readonly<z.infer<typeof STAMP_FIELDS>>

/** Takes an event's body, and when it happened where that was not now; the stream adds the rest. Never throws. */
export type EmitRunEvent = (event: RunEventBody, happenedAt?: Date) => void

/** One line of a run's log. null: it is no event of ours, or one of a later release. */
export function parseRunEvent(line: string): RunEvent | null {
  const value = parsedJson(line)
  const head = headFields.safeParse(value)
  const type = head.data?.type
  if (!isEventType(type)) return null
  const stamp = STAMP_FIELDS.safeParse(value)
  const fields = EVENT_FIELDS[type].safeParse(value)
  if (!stamp.success || !fields.success) return null
  // The fields are those of the type that was looked up.
  return { type, ...stamp.data, ...fields.data } as RunEvent
}

const headFields = z.looseObject({ type: z.string() })

function isEventType(type: string | undefined): type is RunEventType {
  return type !== undefined && Object.hasOwn(EVENT_FIELDS, type)
}

/** null for half a line, which a killed process may leave. */
function parsedJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
