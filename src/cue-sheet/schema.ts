/** The shape of a sheet. What a shape cannot say (references, cycles, placeholders) is checked after it. */

import { FAMILY_NAMES } from '../families/index.ts'
import { z } from '../zod.ts'
import { isSettingKey, rowOf, SETTING_KEYS, type SettingKey } from './setting-types.ts'
import { seedSchema } from './setting-values.ts'
import type { SETTINGS } from './settings.ts'

/** Every setting is optional; null takes it back to absent. The description ends up in the JSON Schema. */
const SETTING_SCHEMAS = Object.fromEntries(
  SETTING_KEYS.map((key) => {
    const { schema, description } = rowOf(key)
    return [key, schema.nullable().optional().describe(description)]
  }),
) as { [Key in SettingKey]: z.ZodOptional<z.ZodNullable<(typeof SETTINGS)[Key]['schema']>> }

/** What every level may set. */
export const layerSchema = z.strictObject(SETTING_SCHEMAS)
export type LayerInput = z.infer<typeof layerSchema>

export const modelSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .optional()
    .describe('A folder in the ONNX layout of diffusers, relative to the sheet. This or hub is needed.'),
  hub: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A model that "pregen models pull" fetched from the Hugging Face hub: owner/name or owner/name@revision.',
    ),
  provider: z
    .enum(['auto', 'cpu', 'cuda', 'webgpu', 'dml', 'coreml'])
    .optional()
    .describe('Where this model runs. Default: what --provider says.'),
  pipeline: z
    .enum(FAMILY_NAMES)
    .optional()
    .describe('Family of the model. Default: what model_index.json says.'),
  variant: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/)
    .optional()
    .describe(
      'Which of several exports in one folder: "fp16" takes model_fp16.onnx or model.fp16.onnx where a component has one.',
    ),
  preview_decoder: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of a tiny decoder (AutoencoderTiny in ONNX) for previews, relative to the sheet.'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .describe('The fingerprint that the folder must have ("pregen models inspect" prints it).'),
})

export const storageSchema = z.strictObject({
  bucket: z.string().min(1).max(255).describe('Name of the bucket.'),
  endpoint: z.string().min(1).optional().describe('URL of an S3-compatible service. Default: AWS S3.'),
  region: z
    .string()
    .min(1)
    .optional()
    .describe('Region; "auto" for R2. Default: auto with an endpoint, else from the AWS configuration.'),
  prefix: z.string().optional().describe('Put before every key, such as "shows/2026".'),
  concurrency: z.int().min(1).max(256).optional().describe('Uploads at a time, 1 to 256. Default 16.'),
  public_url: z
    .string()
    .min(1)
    .optional()
    .describe('Base URL that readers reach the bucket at; asset URLs in the manifest begin with it.'),
  force_path_style: z
    .boolean()
    .optional()
    .describe('Name the bucket in the path, not in the host. Default: true with an endpoint.'),
})

export const callbackMapSchema = z.strictObject({
  url: z.string().min(1).describe('An https URL that is told when work is whole.'),
  on: z.enum(['run', 'unit']).optional().describe('One call a run (default) or one a unit.'),
  secret_env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional()
    .describe('Environment variable with the signing secret. Default PREGEN_CALLBACK_SECRET.'),
  job_id: z.string().min(1).optional().describe('Sent as job_id. Default: the version id.'),
})

const axisValue = z.union([z.string(), z.number(), z.boolean()])

const cueSchema = z
  .strictObject({
    program: z.string().min(1).describe('Id of the program that this cue runs.'),
    ...SETTING_SCHEMAS,
    variants: z
      .record(z.string(), layerSchema.nullable())
      .optional()
      .describe('Variants by id; each may set anything.'),
    seeds: z
      .array(seedSchema)
      .min(1)
      .optional()
      .describe('Short for variants seed-1, seed-2, … with these seeds.'),
    rows: z
      .string()
      .min(1)
      .optional()
      .describe('A .csv or .jsonl file, relative to the sheet: a row a variant, a column a setting.'),
    matrix: z
      .record(z.string(), z.array(axisValue).min(1))
      .optional()
      .describe('Axes whose values are combined; an axis is a setting, or a placeholder of prompt_template.'),
  })
  .describe('One cue: a program, what it shows, and its variants.')

const programSchema = z.strictObject({
  extends: z.string().min(1).optional().describe('Id of the program whose settings this one starts from.'),
  ...SETTING_SCHEMAS,
})

export const sheetSchema = z.strictObject({
  version: z
    .string()
    .optional()
    .describe(
      'Name of this edition, a folder in the output. PREGEN_VERSION_ID, then --version-id, win over it.',
    ),
  root: z.string().min(1).optional().describe('First folder of the output and of every key. Default foigoi.'),
  models: z
    .record(z.string(), z.union([z.string().min(1), modelSchema]))
    .nullable()
    .optional()
    .describe('Models by id: a folder, or a map.'),
  defaults: layerSchema.nullable().optional().describe('Settings for everything in this sheet.'),
  programs: z
    .record(z.string(), programSchema.nullable())
    .describe('Programs by id: settings that cues share. P0 makes no step pictures unless asked.'),
  cues: z.record(z.string(), cueSchema).describe('Cues by id.'),
  storage: storageSchema.nullable().optional().describe('A bucket to upload to. Absent: disk only.'),
  gallery: z
    .boolean()
    .nullable()
    .optional()
    .describe('Write and upload the page that shows the version, beside its pictures. Default false.'),
  callback: z
    .union([z.string().min(1), callbackMapSchema])
    .nullable()
    .optional()
    .describe('Who is told when the work is whole.'),
})

export type SheetInput = z.infer<typeof sheetSchema>
export type CueInput = z.infer<typeof cueSchema>

/** Whether the keys of the map at `path` are ids that a person chose. */
export function isIdMap(path: readonly (string | number)[]): boolean {
  const [top] = path
  if (path.length === 1) return top === 'models' || top === 'programs' || top === 'cues'
  return path.length === 3 && top === 'cues' && (path[2] === 'variants' || path[2] === 'matrix')
}

/** Settings among the keys whose `${NAME}` stays text even where it reads like a number. */
export function isTextSetting(key: string): boolean {
  return key === 'seed' || (isSettingKey(key) && rowOf(key).schema instanceof z.ZodString)
}
