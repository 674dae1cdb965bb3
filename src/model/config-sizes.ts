/**
 * The sizes that a model's config.json files name decide what is allocated. Each has bounds that no published model comes
 * near; what is outside them, or no number at all, is a fault of the file and never reaches an allocation.
 */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { JsonObject } from '../model-files/json-text.ts'

type Check = (value: unknown) => boolean

interface Rule {
  readonly fits: Check
  /** What the value must be. */
  readonly expected: string
}

const isWhole =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max

const isWithin =
  (limit: number): Check =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= limit

function listOf(item: Check, min: number, max: number): Check {
  return (value) =>
    Array.isArray(value) && value.length >= min && value.length <= max && value.every((each) => item(each))
}

function whole(min: number, max: number): Rule {
  return { fits: isWhole(min, max), expected: `a whole number from ${min} to ${max}` }
}

/** One number, or one a level. */
function wholeOrList(min: number, max: number): Rule {
  const item = isWhole(min, max)
  const list = listOf(item, 1, 16)
  return {
    fits: (value) => item(value) || list(value),
    expected: `a whole number from ${min} to ${max}, or a list of such`,
  }
}

function listedWholes(min: number, max: number): Rule {
  return {
    fits: listOf(isWhole(min, max), 1, 16),
    expected: `a list of whole numbers from ${min} to ${max}`,
  }
}

const WIDTH = whole(1, 65_536)
const LAYERS = whole(1, 512)
const CHANNELS = whole(1, 1024)
const LATENT_CHANNELS = whole(1, 256)
/** A level halves the picture: eight make a scale of 128. */
const LEVELS: Rule = {
  fits: listOf(isWhole(1, 65_536), 1, 8),
  expected: 'a list of 1 to 8 whole numbers from 1 to 65536',
}
const STATISTICS: Rule = { fits: listOf(isWithin(1e6), 1, 256), expected: 'a list of up to 256 numbers' }
const DEVIATIONS: Rule = {
  fits: listOf((value) => isWithin(1e6)(value) && Number(value) > 0, 1, 256),
  expected: 'a list of up to 256 numbers above 0',
}

/** Latents of 8192 pixels, and no more. */
const SAMPLE: Rule = {
  fits: (value) => isWhole(1, 1024)(value) || listOf(isWhole(1, 1024), 2, 2)(value),
  expected: 'a whole number from 1 to 1024, or a height and a width',
}

const SWITCHES: Rule = {
  fits: listOf((value) => typeof value === 'boolean', 1, 8),
  expected: 'a list of 1 to 8 times true or false',
}

const DENOISER: Readonly<Record<string, Rule>> = {
  sample_size: SAMPLE,
  in_channels: CHANNELS,
  out_channels: CHANNELS,
  patch_size: wholeOrList(1, 64),
  block_out_channels: LEVELS,
  cross_attention_dim: wholeOrList(1, 65_536),
  joint_attention_dim: WIDTH,
  cap_feat_dim: WIDTH,
  axes_lens: listedWholes(1, 1_000_000),
  pooled_projection_dim: WIDTH,
  time_cond_proj_dim: WIDTH,
  addition_time_embed_dim: WIDTH,
  pos_embed_max_size: whole(1, 4096),
  pos_embed_seq_len: whole(1, 65_536),
  num_attention_heads: whole(1, 1024),
  attention_head_dim: wholeOrList(1, 4096),
  rope_max_seq_len: whole(1, 65_536),
  text_dim: WIDTH,
  image_dim: WIDTH,
}

const TEXT_ENCODER: Readonly<Record<string, Rule>> = {
  num_hidden_layers: LAYERS,
  num_layers: LAYERS,
  hidden_size: WIDTH,
  d_model: WIDTH,
  projection_dim: WIDTH,
  max_position_embeddings: whole(1, 10_000_000),
  vocab_size: whole(1, 10_000_000),
}

const VAE: Readonly<Record<string, Rule>> = {
  latent_channels: LATENT_CHANNELS,
  z_dim: LATENT_CHANNELS,
  temperal_downsample: SWITCHES,
  block_out_channels: LEVELS,
  base_dim: whole(1, 4096),
  decoder_base_dim: whole(1, 4096),
  scale_factor_spatial: whole(1, 64),
  scale_factor_temporal: whole(1, 16),
  scaling_factor: {
    fits: (value) => isWithin(1e6)(value) && Math.abs(Number(value)) >= 1e-6,
    expected: 'a number other than 0',
  },
  shift_factor: { fits: isWithin(1e6), expected: 'a number' },
  latents_mean: STATISTICS,
  latents_std: DEVIATIONS,
}

const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  text_encoder: TEXT_ENCODER,
  text_encoder_2: TEXT_ENCODER,
  text_encoder_3: TEXT_ENCODER,
  unet: DENOISER,
  transformer: DENOISER,
  transformer_2: DENOISER,
  image_encoder: { ...TEXT_ENCODER, image_size: whole(1, 4096), patch_size: whole(1, 64) },
  vae_encoder: VAE,
  vae_decoder: VAE,
  vae_encoder_with_past: VAE,
  vae_decoder_with_past: VAE,
}

export interface ConfiguredComponent {
  /** `unet`, `vae_decoder`, … */
  readonly name: string
  readonly folder: string
  /** Its config.json. */
  readonly config: JsonObject
}

/** The faults of a component's config.json; null and absent keys are none. */
export function configSizeFaults({ name, folder, config }: ConfiguredComponent): PregenError[] {
  const file = join(folder, 'config.json')
  const fault = (what: string) =>
    new PregenError('E_MODEL_CONFIG', what, {
      help: 'Download or export the model again: no published model has such a config.',
      location: { file },
    })
  const faults = Object.entries(RULES[name] ?? {}).flatMap(([key, { fits, expected }]) => {
    const value = config[key]
    if (value === undefined || value === null || fits(value)) return []
    return [fault(`${key} is ${briefly(value)}; it must be ${expected}.`)]
  })
  if (faults.length > 0 || RULES[name] !== VAE) return faults
  const { latents_mean: mean, latents_std: deviation } = config
  const channelsKey = config.latent_channels === undefined ? 'z_dim' : 'latent_channels'
  const { [channelsKey]: channels } = config
  for (const [key, list] of [
    ['latents_mean', mean],
    ['latents_std', deviation],
  ] as const) {
    if (
      typeof channels !== 'number' ||
      !Array.isArray(list) ||
      [channels, 4 * channels].includes(list.length)
    )
      continue
    faults.push(fault(`${key} has ${list.length} numbers for ${channels} ${channelsKey}.`))
  }
  return faults
}

/** A value in few words: numbers as they are, anything else by its kind. */
function briefly(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return 'text'
  return Array.isArray(value) ? `a list of ${value.length}` : 'a map'
}
