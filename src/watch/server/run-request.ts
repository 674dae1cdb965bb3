/** `POST /api/runs`: a sheet (its text, or a path below `--sheets`) and options, checked before anything starts. */
import { isAbsolute, join, resolve } from 'node:path'
import { findRowFiles } from '../../cue-sheet/parse.ts'
import { readCueSheet, readSheetText } from '../../cue-sheet/read.ts'
import type { CueSheet } from '../../cue-sheet/sheet.ts'
import { isBelow, pathsOfSheet, pathsOutside } from '../../cue-sheet/sheet-paths.ts'
import { PregenError, PregenErrors } from '../../errors.ts'
import { z } from '../../zod.ts'

const word = z.string().min(1).max(500)
const whole = z.int().nonnegative().max(1_000_000)

/** Options of `pregen run` that a request may give: what they are there, and how they stand on the command line. */
const optionsSchema = z.strictObject({
  dry_run: z.boolean().optional(),
  force: z.boolean().optional(),
  fail_fast: z.boolean().optional(),
  live_file: z.boolean().optional(),
  verify_remote: z.boolean().optional(),
  cue: word.optional(),
  variant: word.optional(),
  program: word.optional(),
  version_id: word.optional(),
  shard: z
    .string()
    .regex(/^\d{1,6}\/\d{1,6}$/)
    .optional(),
  provider: z.enum(['auto', 'cuda', 'webgpu', 'dml', 'coreml', 'cpu']).optional(),
  devices: z
    .string()
    .regex(/^(?:all|\d{1,3}(?:,\d{1,3}){0,63})$/)
    .optional(),
  batch: z.union([z.literal('auto'), z.int().min(1).max(64)]).optional(),
  threads: whole.optional(),
  concurrency: whole.optional(),
})

export const runRequestSchema = z
  .strictObject({
    sheet: z
      .string()
      .max(1024 * 1024)
      .optional()
      .describe('The sheet itself, as YAML.'),
    path: word.optional().describe('A sheet below --sheets.'),
    options: optionsSchema.optional(),
  })
  .refine(({ sheet, path }) => (sheet === undefined) !== (path === undefined), {
    message: 'give one of "sheet" and "path"',
  })

export interface CheckedRequest {
  /** Path of the sheet, or how it is called. */
  readonly sheet: string
  readonly text: string | undefined
  /** As on the command line. */
  readonly options: readonly string[]
  readonly cwd: string
  /** What the run is to do, for a look ahead; the sheet's path is where its own paths start from. */
  readonly select: RequestedUnits
}

export interface RequestedUnits {
  readonly sheetPath: string
  readonly sheetBytes?: Uint8Array | undefined
  readonly versionId?: string | undefined
  readonly cue?: string | undefined
  readonly variant?: string | undefined
  readonly program?: string | undefined
  readonly shard?: string | undefined
  readonly force: boolean
}

export interface RequestContext {
  /** The folder that sheets, models and images may come from; null: a sheet's text, the embedded model, nothing else. */
  readonly sheets: string | null
  readonly embeddedModels: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
}

/** @throws PregenError | PregenErrors with every fault of the request or its sheet */
export async function checkRequest(body: unknown, context: RequestContext): Promise<CheckedRequest> {
  const request = runRequestSchema.safeParse(camelToSnake(body))
  if (!request.success) throw new PregenErrors(request.error.issues.map(requestFault))
  const { sheet: text, path, options = {} } = request.data
  const { sheets, embeddedModels, env } = context
  const versionId = options.version_id
  const args = optionArguments(options)
  const { cue, variant, program, shard, force = false } = options
  const units = { versionId, cue, variant, program, shard, force }
  if (text !== undefined) {
    const cwd = sheets ?? process.cwd()
    const bytes = new TextEncoder().encode(text)
    const how = { file: join(cwd, 'sheet.yaml'), env, embeddedModels, versionId }
    // Files of rows are read with the sheet: whether they may be is asked first.
    refuseOutside(
      findRowFiles(bytes, how).map((name) => resolve(cwd, name)),
      sheets,
    )
    checkPaths(await readSheetText(bytes, how), sheets)
    const select = { ...units, sheetPath: join(cwd, 'sheet.yaml'), sheetBytes: bytes }
    return { sheet: 'sheet.yaml', text, options: args, cwd, select }
  }
  const file = await sheetBelow(sheets, path ?? '')
  checkPaths(await readCueSheet(file, { env, embeddedModels, versionId }), sheets)
  return {
    sheet: file,
    text: undefined,
    options: args,
    cwd: sheets ?? process.cwd(),
    select: { ...units, sheetPath: file },
  }
}

async function sheetBelow(sheets: string | null, path: string): Promise<string> {
  if (sheets === null)
    throw leaves('This server takes no paths', 'Start it with --sheets DIR, or send the sheet itself.')
  const file = resolve(sheets, path)
  if (isAbsolute(path) || !isBelow(sheets, file)) throw leaves(`${JSON.stringify(path)} leaves ${sheets}`)
  return file
}

/** Where the request may lead: below `--sheets` alone. */
function checkPaths(sheet: CueSheet, sheets: string | null): void {
  refuseOutside(pathsOfSheet(sheet), sheets)
}

function refuseOutside(paths: readonly string[], sheets: string | null): void {
  const outside = pathsOutside(paths, sheets)
  if (outside.length === 0) return
  const help = sheets === null ? 'Start the server with --sheets DIR.' : 'Put it into that folder.'
  throw new PregenErrors(
    outside
      .slice(0, 50)
      .map((path) => leaves(`${JSON.stringify(path)} is not below ${sheets ?? 'a folder of sheets'}`, help)),
  )
}

function leaves(
  what: string,
  help = 'Paths of a request stay below the folder that --sheets names.',
): PregenError {
  return new PregenError('E_REQUEST_PATH', `${what}.`, { help })
}

function optionArguments(options: z.infer<typeof optionsSchema>): readonly string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${name.replaceAll('_', '-')}`
    if (value === undefined || value === false) return []
    // One word, so that no value can be taken for an option.
    return value === true ? [flag] : [`${flag}=${value}`]
  })
}

/** `dryRun` and `dry-run` are understood, too. */
function camelToSnake(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('options' in body)) return body
  const { options } = body
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return body
  const snake = (name: string) =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replaceAll('-', '_')
  return {
    ...body,
    options: Object.fromEntries(Object.entries(options).map(([name, value]) => [snake(name), value])),
  }
}

function requestFault({ path, message }: z.core.$ZodIssue): PregenError {
  const place = path.length === 0 ? 'The request' : path.map(String).join('.')
  return new PregenError('E_REQUEST', `${place}: ${message}.`, {
    help: 'GET /api/openapi.json describes it.',
  })
}
