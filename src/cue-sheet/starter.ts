/**
 * The sheet that `pregen init` writes. Its models are published ones by their own names, not families: a family needs no
 * row here.
 */

const STARTER = `# A cue sheet: programs say how, cues say what, variants say which ones.
# Every key is described in docs/cue-sheet.md; "pregen schema" prints a JSON Schema for your editor.

version: first-night            # names this edition; --version-id wins over it

defaults:                       # for everything below, until something nearer says otherwise
  model: backdrop               # the model that comes with pregen; declare your own under "models:"
  width: 128
  height: 128
  steps: 20
  guidance_scale: 4.5

# models:
#   sdxl: /srv/models/sdxl      # a folder in the ONNX layout of diffusers, relative to this sheet

programs:
  P0: {}                        # the id P0 makes final pictures alone
  P1:                           # every other program also saves a picture of each step
    previews: { method: auto }

cues:
  dawn:
    program: P1
    prompt: misty mountains at dawn
    variants:
      wide: { seed: 7 }
      close: { seed: 8, prompt: one mountain at dawn }

  storm:
    program: P0
    prompt: sea at night
    seeds: [1, 2, 3]            # variants seed-1, seed-2 and seed-3

# storage:                      # a bucket; without it everything stays on disk
#   bucket: show
#   endpoint: https://account.r2.cloudflarestorage.com
#   region: auto
`

/** Published models that `pregen init --model` knows: the settings that their makers name (docs/models.md). */
export const KNOWN_MODELS = {
  sd15: ['width: 512', 'height: 512', 'steps: 25', 'guidance_scale: 7.5', 'scheduler: dpm++2m'],
  sdxl: ['width: 1024', 'height: 1024', 'steps: 30', 'guidance_scale: 5', 'scheduler: euler'],
  'sdxl-turbo': [
    ...['width: 512', 'height: 512', 'steps: 4', 'guidance_scale: 0'],
    'scheduler: { name: euler-ancestral, timestep_spacing: trailing }',
  ],
  'sdxl-lightning': [
    ...['width: 1024', 'height: 1024', 'steps: 4', 'guidance_scale: 0'],
    'scheduler: { name: euler, timestep_spacing: trailing }',
  ],
  'hyper-sdxl': [
    ...['width: 1024', 'height: 1024', 'steps: 8', 'guidance_scale: 0'],
    'scheduler: { name: ddim, timestep_spacing: trailing }',
  ],
  'hyper-sdxl-1to8': [
    ...['width: 1024', 'height: 1024', 'steps: 4', 'guidance_scale: 0'],
    'scheduler: { name: tcd, eta: 1 }',
  ],
  'sd35-medium': ['width: 1024', 'height: 1024', 'steps: 40', 'guidance_scale: 4.5'],
  'flux1-schnell': ['width: 1024', 'height: 1024', 'steps: 4'],
  'flux1-dev': ['width: 1024', 'height: 1024', 'steps: 28', 'guidance_scale: 3.5'],
  'z-image-turbo': ['width: 1024', 'height: 1024', 'steps: 8', 'guidance_scale: 0'],
  'z-image': ['width: 1024', 'height: 1024', 'steps: 28', 'guidance_scale: 4'],
  'flux2-klein': ['width: 1024', 'height: 1024', 'steps: 4'],
  'flux2-klein-base': ['width: 1024', 'height: 1024', 'steps: 50', 'guidance_scale: 4'],
  'chroma1-hd': ['width: 1024', 'height: 1024', 'steps: 40', 'guidance_scale: 3'],
  'qwen-image': [
    ...['width: 1024', 'height: 1024', 'steps: 50', 'true_cfg_scale: 4'],
    'negative_prompt: " "',
  ],
} as const satisfies Record<string, readonly string[]>

export type KnownModel = keyof typeof KNOWN_MODELS

export function isKnownModel(name: string): name is KnownModel {
  return Object.hasOwn(KNOWN_MODELS, name)
}

/** The starter on a model of one's own, with the settings that it wants. */
export function sheetFor(model: KnownModel): string {
  const own = ['defaults:', `  model: ${model}`, ...KNOWN_MODELS[model].map((line) => `  ${line}`)].join('\n')
  const models = `models:\n  ${model}: ./${model}     # the folder of your export, or { hub: owner/name }`
  const head = STARTER.slice(0, STARTER.indexOf('defaults:'))
  const programs = STARTER.slice(STARTER.indexOf('programs:\n'))
  return `${head}${models}\n\n${own}\n\n${programs}`
}

/** A commented sheet that runs as it stands, on the embedded model. */
export function starterSheet(): string {
  return STARTER
}
