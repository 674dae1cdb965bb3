/**
 * What stands in the queue: jobs, and the sheets that they are of. Whoever reaches the queue may have written it, so all of
 * it is judged here before it is used. A job names units of a sheet by their places and digests; the sheet is text, which
 * goes through the same parser as any sheet. Neither holds a secret: variables stand in it by their names.
 */

import { MAX_SHEET_BYTES } from '../cue-sheet/scan.ts'
import { PregenError } from '../errors.ts'
import { z } from '../zod.ts'

const id = z.string().regex(/^[0-9a-f]{32}$/)
const digest = z.string().regex(/^[0-9a-f]{64}$/)
const place = z.int().min(0).max(10_000_000)

/** Units of one job, at most: a batch of one shape. */
export const MAX_JOB_UNITS = 64

const unitJobSchema = z.strictObject({
  v: z.literal(1),
  sheet: id,
  /** Place in the sheet, and digest. */
  units: z
    .array(z.tuple([place, digest]))
    .min(1)
    .max(MAX_JOB_UNITS),
  /** Draws them though they are whole, as `run --force` does. */
  force: z.literal(true).optional(),
})
export type UnitJob = z.infer<typeof unitJobSchema>

const endJobSchema = z.strictObject({
  v: z.literal(1),
  sheet: id,
  /** Tells this end of the sheet from one before: its callback is posted once. */
  round: z.string().regex(/^[0-9a-f]{16}$/),
})
export type EndJob = z.infer<typeof endJobSchema>

/** A sheet of 1 MiB may name files of rows of as much each. */
const rowName = z.string().min(1).max(1000)
const headFields = {
  /** What messages call it: a name, no path. */
  name: z.string().min(1).max(255),
  version: z.string().min(1).max(1000),
  submitted: z.iso.datetime(),
}
const sheetRecordSchema = z.strictObject({
  v: z.literal(1),
  ...headFields,
  text: z.string().max(MAX_SHEET_BYTES),
  rows: z.record(rowName, z.string().max(MAX_SHEET_BYTES)),
})
export type SheetRecord = z.infer<typeof sheetRecordSchema>

/** What a list tells of a sheet: it is asked for each second, and a sheet may be a megabyte. */
const sheetHeadSchema = z.object(headFields)
export type SheetHead = z.infer<typeof sheetHeadSchema>

/** Where a sheet stands: `queued` until its manifest is written. */
const SHEET_STATES = ['queued', 'done', 'partial', 'cancelled'] as const
export type SheetState = (typeof SHEET_STATES)[number]

export interface WantedUnit {
  readonly digest: string
  /** Key of its model's queue. */
  readonly model: string
}

/** @throws PregenError `E_QUEUE_JOB` */
export function parseUnitJob(data: unknown): UnitJob {
  return parsed(unitJobSchema, data, 'job of units')
}

/** @throws PregenError `E_QUEUE_JOB` */
export function parseEndJob(data: unknown): EndJob {
  return parsed(endJobSchema, data, 'end of a sheet')
}

/** @throws PregenError `E_QUEUE_JOB` */
export function parseSheetRecord(text: string): SheetRecord {
  return parsed(sheetRecordSchema, fromJson(text), 'sheet')
}

/** @throws PregenError `E_QUEUE_JOB` */
export function parseSheetHead(text: string): SheetHead {
  return parsed(sheetHeadSchema, fromJson(text), 'sheet')
}

export function isSheetState(text: string | undefined | null): text is SheetState {
  return SHEET_STATES.some((state) => state === text)
}

export function encodeWanted({ digest: of, model }: WantedUnit): string {
  return `${of} ${model}`
}

/** @throws PregenError `E_QUEUE_JOB` */
export function parseWanted(text: string): WantedUnit {
  const [of, model] = text.split(' ')
  return parsed(z.object({ digest, model: id }), { digest: of, model }, 'unit of a sheet')
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const { data, error } = schema.safeParse(value)
  if (error === undefined) return data
  const [issue] = error.issues
  const where = issue && issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : ''
  throw new PregenError('E_QUEUE_JOB', `The queue holds no ${what} of pregen's: ${where}${issue?.message}`, {
    help: 'Another program, or another release of pregen, wrote it. "pregen cancel" takes a sheet out.',
    exitCode: 3,
  })
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
