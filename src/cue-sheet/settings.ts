/** Every setting that a level of a sheet may have: its schema, its range in words, and the code of its fault. */
import { z } from 'zod'
import { SCHEDULER_WORDS } from './scheduler-names.ts'

export const MAX_STEPS = 1000
export const MAX_SIDE = 8192
/** width × height: 4096 × 4096. */
export const MAX_PIXELS = 4096 * 4096
export const MAX_SEED = 2n ** 64n - 1n
export const MAX_GUIDANCE = 100
export const MAX_BATCH = 64
export const MAX_PROMPT_CHARS = 20_000

const schedulerValue = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.number())])

const schedulerName = z
  .string()
  .min(1)
  .meta({ examples: [...SCHEDULER_WORDS] })

const schedulerSchema = z.union([
  schedulerName,
  z.object({ name: schedulerName.optional() }).catchall(schedulerValue),
])

export const previewsMapSchema = z.strictObject({
  method: z
    .enum(['none', 'latent2rgb', 'taesd', 'full', 'auto'])
    .optional()
    .describe(
      "How step pictures are made: none, latent2rgb (a linear map), taesd (a tiny decoder), full (the model's own VAE), or auto (default: taesd where the model has one, else latent2rgb).",
    ),
  every: z
    .int()
    .min(1)
    .max(MAX_STEPS)
    .optional()
    .describe('Steps every, 2 × every, … and the last have a picture. Default 1.'),
  source: z
    .enum(['denoised', 'latents'])
    .optional()
    .describe('The predicted final picture (denoised, default) or the raw noisy state (latents).'),
  size: z
    .enum(['latent', 'image'])
    .optional()
    .describe('One pixel a latent (latent) or enlarged to the size of the picture (image, default).'),
})

const text = z.string().max(MAX_PROMPT_CHARS)
const side = z.int().min(8).max(MAX_SIDE).multipleOf(8)

/** Every setting is optional; null takes it back to absent. The description ends up in the JSON Schema. */
function setting<T extends z.ZodType>(schema: T, description: string): z.ZodOptional<z.ZodNullable<T>> {
  return schema.nullable().optional().describe(description)
}

export const seedSchema = z.union([z.int().min(0), z.string().regex(/^\d{1,20}$/)])

/** One entry per setting. */
export const SETTING_SCHEMAS = {
  model: setting(z.string().min(1), 'Id of a model under "models", or "backdrop", the embedded one.'),
  prompt: setting(text, 'What the picture shows.'),
  negative_prompt: setting(
    text,
    'What the picture must not show. Absent and "" differ for some models (SDXL).',
  ),
  prompt_2: setting(text, 'Prompt for the second text encoder (SDXL, SD3) or T5 (FLUX). Default: prompt.'),
  negative_prompt_2: setting(text, 'Negative prompt for the second text encoder. Default: negative_prompt.'),
  prompt_template: setting(
    text,
    'Frames the prompt: "{prompt}, {light}, painted". Placeholders: {prompt} and any matrix axis.',
  ),
  max_sequence_length: setting(z.int().min(1).max(512), 'Longest prompt in T5 tokens (SD3, FLUX).'),
  seed: setting(seedSchema, 'Start of the random numbers, 0 to 2^64 - 1; in quotes from 2^53 up. Default 0.'),
  steps: setting(
    z.int().min(1).max(MAX_STEPS),
    "Denoising steps, 1 to 1000. Default: the model family's own.",
  ),
  guidance_scale: setting(
    z.number().min(0).max(MAX_GUIDANCE),
    "How strictly the prompt is followed, 0 to 100. Default: the model family's own.",
  ),
  width: setting(side, "Width in pixels, a multiple of 8 (of 16 for some models). Default: the model's own."),
  height: setting(
    side,
    "Height in pixels, a multiple of 8 (of 16 for some models). Default: the model's own.",
  ),
  scheduler: setting(
    schedulerSchema,
    "A scheduler name, or a map: name (default: the model folder's own) plus keys of scheduler_config.json such as shift or use_karras_sigmas.",
  ),
  previews: setting(
    z.union([z.boolean(), previewsMapSchema]),
    'Step pictures and timing.json: true, false or a map. Default: on, but off for the program P0.',
  ),
  image: setting(
    z.string().min(1),
    'Starting picture for image-to-image: a path relative to the sheet, or an https URL.',
  ),
  fit: setting(
    z.enum(['cover', 'contain', 'fill']),
    'How a starting picture of another aspect is brought to size. Absent: another aspect is an error.',
  ),
  denoise_strength: setting(
    z.number().min(0).max(1),
    'Image-to-image: 0 keeps the picture, 1 ignores it. Default 0.6.',
  ),
  reference_strength: setting(
    z.number().min(0).max(1),
    'Deprecated: use denoise_strength, which is 1 - reference_strength.',
  ),
  exact_copy_mode: setting(
    z.boolean(),
    'Image-to-image that hardly changes the picture: strength at most 0.05, guidance 1, no negative prompt, 6 to 10 steps. Default false.',
  ),
  thumbnail: setting(z.boolean(), 'Also write final.thumb.webp, 256 px at its longest edge. Default false.'),
  rng: setting(
    z.enum(['torch-cpu', 'philox']),
    'Generator of the noise: torch-cpu (default) gives the seeds of PyTorch on a CPU, philox those on CUDA.',
  ),
  batch: setting(
    z.int().min(1).max(MAX_BATCH),
    'Up to this many variants that differ in prompt and seed only share a model call. Default 1.',
  ),
  prompt_syntax: setting(
    z.enum(['plain', 'a1111']),
    'plain (default) takes prompts literally; a1111 reads weights such as (moon:1.3) and long prompts.',
  ),
  embed_metadata: setting(z.boolean(), 'Write prompt and settings into final.png. Default false.'),
}

export type SettingKey = keyof typeof SETTING_SCHEMAS
export const SETTING_KEYS: readonly string[] = Object.keys(SETTING_SCHEMAS)

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTING_SCHEMAS, key)
}

interface SettingRule {
  /** Code of a value of the wrong type or range. */
  readonly code: string
  /** Goes on after "must be". */
  readonly must: string
}

const TEXT: SettingRule = {
  code: 'E_BAD_VALUE',
  must: `text of ${MAX_PROMPT_CHARS} characters at most; quote what reads like a number`,
}
const YES_NO: SettingRule = { code: 'E_BAD_VALUE', must: 'true or false' }
const SIDE: SettingRule = { code: 'E_BAD_SIZE', must: `a multiple of 8 from 8 to ${MAX_SIDE}` }
const STRENGTH: SettingRule = { code: 'E_BAD_STRENGTH', must: 'a number from 0 to 1' }

/** What each setting must be, in words that follow "must be". */
export const SETTING_RULES: Readonly<Record<SettingKey, SettingRule>> = {
  model: { code: 'E_BAD_VALUE', must: 'the id of a model' },
  prompt: TEXT,
  negative_prompt: TEXT,
  prompt_2: TEXT,
  negative_prompt_2: TEXT,
  prompt_template: TEXT,
  max_sequence_length: { code: 'E_BAD_VALUE', must: 'a whole number from 1 to 512' },
  seed: { code: 'E_BAD_SEED', must: 'a whole number from 0 to 18446744073709551615 (2^64 - 1)' },
  steps: { code: 'E_BAD_STEPS', must: `a whole number from 1 to ${MAX_STEPS}` },
  guidance_scale: { code: 'E_BAD_GUIDANCE', must: `a number from 0 to ${MAX_GUIDANCE}` },
  width: SIDE,
  height: SIDE,
  scheduler: {
    code: 'E_BAD_VALUE',
    must: 'a scheduler name, or a map of "name" and keys of scheduler_config.json',
  },
  previews: { code: 'E_BAD_VALUE', must: 'true, false, or a map of method, every, source and size' },
  image: { code: 'E_BAD_VALUE', must: 'a path or an https URL' },
  fit: { code: 'E_BAD_VALUE', must: 'cover, contain or fill' },
  denoise_strength: STRENGTH,
  reference_strength: STRENGTH,
  exact_copy_mode: YES_NO,
  thumbnail: YES_NO,
  rng: { code: 'E_BAD_VALUE', must: 'torch-cpu or philox' },
  batch: { code: 'E_BAD_VALUE', must: `a whole number from 1 to ${MAX_BATCH}` },
  prompt_syntax: { code: 'E_BAD_VALUE', must: 'plain or a1111' },
  embed_metadata: YES_NO,
}
