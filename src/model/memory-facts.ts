/** What the estimate of memory needs to know of a model folder: sizes of files, and the shapes that its configs tell. */
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { FamilyFacts } from '../families/family.ts'
import { familyOf } from '../families/index.ts'
import type { JsonObject } from '../model-files/json-text.ts'
import type { AttentionLevel, MemoryFacts, WeightFacts } from '../plan/memory.ts'
import type { ModelFolder } from './folder.ts'
import { type OnnxHeader, readOnnxHeader } from './onnx-header.ts'

/** Bytes of an .onnx file with the data files that it names; one that is not there counts as far as tensors lie in it. */
export function storedBytes(path: string, { sizeBytes, externalData }: OnnxHeader): number {
  const ends = new Map<string, number>()
  for (const { location, offset, length } of externalData) {
    ends.set(location, Math.max(ends.get(location) ?? 0, offset + (length ?? 0)))
  }
  const sizes = [...ends].map(
    ([location, end]) => statSync(join(dirname(path), location), { throwIfNoEntry: false })?.size ?? end,
  )
  return sizes.reduce((sum, size) => sum + size, sizeBytes)
}

/** @param folder checked, so that its .onnx files are what they seem */
export function memoryFacts({ family, components, vae }: ModelFolder): MemoryFacts {
  const { denoiser: denoiserName, stacksGuidance }: FamilyFacts = familyOf(family)
  const weights = (name: string): WeightFacts[] => {
    const component = Object.values(components).find((one) => one.name === name)
    if (component === undefined || !existsSync(component.modelPath)) return []
    const header = readOnnxHeader(component.modelPath)
    const half = header.weightTypes.includes('float16')
    return [{ bytes: storedBytes(component.modelPath, header), half }]
  }
  const config = Object.values(components).find(({ name }) => name === denoiserName)?.config ?? {}
  const vaeConfig = (components.vae_decoder ?? components.vae_encoder)?.config ?? {}
  return {
    encoders: ['text_encoder', 'text_encoder_2', 'text_encoder_3'].flatMap(weights),
    denoiser: weights(denoiserName)[0] ?? { bytes: 0, half: false },
    vae: weights('vae_decoder'),
    levels: denoiserName === 'unet' ? unetLevels(config) : [transformerLevel(config)],
    vaeChannels: vaeChannels(vaeConfig),
    vaeScale: vae.scale,
    stacksGuidance: stacksGuidance === true,
  }
}

/** A decoder's may be narrower than its encoder's; Wan's and Qwen-Image's are multiples of one width. */
function vaeChannels(config: JsonObject): number[] {
  const {
    decoder_block_out_channels: decoder,
    block_out_channels: both,
    base_dim: base,
    dim_mult: times,
  } = config
  const own = numbers(decoder ?? both)
  return own.length > 0 || typeof base !== 'number' ? own : numbers(times).map((each) => each * base)
}

/** A UNet's levels halve the latents; those whose blocks attend say so in their names. */
function unetLevels(config: JsonObject): AttentionLevel[] {
  const channels = numbers(config.block_out_channels)
  const blocks = Array.isArray(config.down_block_types) ? config.down_block_types.map(String) : []
  // In this config the "dimension" of a head is how many there are.
  const heads = numbers(config.num_attention_heads ?? config.attention_head_dim)
  return channels.flatMap((width, level) => {
    const own = heads[Math.min(level, heads.length - 1)] ?? 8
    const attends = blocks[level]?.includes('Attn') ?? true
    return [{ stride: 2 ** level, heads: attends ? own : 0, textTokens: 0, width }]
  })
}

const TEXT_TOKENS = 512

/** A transformer attends to all patches and texts at once. */
function transformerLevel(config: JsonObject): AttentionLevel {
  const heads = Number(config.num_attention_heads ?? config.n_heads ?? 24)
  // Z-Image tells the width of all heads.
  const perHead = Number(
    config.attention_head_dim ?? (typeof config.dim === 'number' ? config.dim / heads : 64),
  )
  const patch = Number(config.patch_size ?? 1)
  // FLUX's and Qwen-Image's latents are packed two by two before the patch counts.
  const stride = config.patch_size === undefined || patch === 1 ? 2 : patch
  return { stride, heads, textTokens: TEXT_TOKENS, width: heads * perHead }
}

function numbers(value: unknown): number[] {
  const list = Array.isArray(value) ? value : [value]
  return list.filter((one): one is number => typeof one === 'number' && Number.isFinite(one) && one > 0)
}
