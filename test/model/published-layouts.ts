/**
 * Folders as exports of the published models have them: configs and headers of their shapes, and weights of their size as
 * files of holes, or none. Parameters are counted with diffusers 0.39 and transformers 4.57 from these configs.
 */
import { cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { packageRoot } from '../support/cli.ts'
import { ELEMENT, onnxModel, type ValueSpec } from './onnx-builder.ts'

interface Part {
  readonly parameters: number
  readonly half: boolean
  readonly config: Readonly<Record<string, unknown>>
  readonly inputs: readonly ValueSpec[]
  readonly outputs: readonly ValueSpec[]
  /** Whether its attention is one operator. */
  readonly fused?: boolean
}

export interface Layout {
  readonly index: Readonly<Record<string, unknown>>
  /** scheduler_config.json; FLUX's unless given. */
  readonly scheduler?: Readonly<Record<string, unknown>>
  readonly tokenizer: 'tiny-qwen' | 'tiny-t5'
  readonly parts: Readonly<Record<string, Part>>
}

const { float32, float16, int64 } = ELEMENT
const IDS: readonly ValueSpec[] = ['input_ids', 'attention_mask'].map((name) => ({
  name,
  type: int64,
  dims: ['batch', 'tokens'],
}))
const half = (name: string, ...dims: (number | string)[]): ValueSpec => ({ name, type: float16, dims })

function encoder(parameters: number, width: number, layers: number, outputs: readonly string[]): Part {
  const values = outputs.map((name) => half(name, 'batch', 'tokens', width))
  return {
    parameters,
    half: true,
    config: { hidden_size: width, num_hidden_layers: layers },
    inputs: IDS,
    outputs: values,
  }
}

/** Encoder and decoder in float32, as the exporter leaves them. */
function vae(parameters: number, channels: number, config: Part['config']): Record<string, Part> {
  const pixels: ValueSpec = { name: 'sample', type: float32, dims: ['batch', 3, 'height', 'width'] }
  const latents = (name: string, count: number): ValueSpec => ({
    name,
    type: float32,
    dims: ['batch', count, 'latent_height', 'latent_width'],
  })
  const decoder = { inputs: [latents('latent_sample', channels)], outputs: [pixels] }
  return {
    vae_decoder: { parameters, half: false, config, ...decoder },
    vae_encoder: {
      ...{ parameters, half: false, config },
      inputs: [pixels],
      outputs: [latents('latent_parameters', 2 * channels)],
    },
  }
}

const KL = { block_out_channels: [128, 256, 512, 512] }
const FLUX_VAE = vae(50e6, 16, { ...KL, latent_channels: 16, scaling_factor: 0.3611, shift_factor: 0.1159 })
const tokens = (...dims: (number | string)[]) => half('hidden_states', 'batch', 'image_tokens', ...dims)
const times = half('timestep', 'batch')

function klein(parameters: number, heads: number, text: Part): Layout {
  const joint = 3 * Number(text.config.hidden_size)
  const ids = (name: string): ValueSpec => ({ name, type: int64, dims: ['batch', name, 4] })
  const config = { patch_size: 1, in_channels: 128, num_attention_heads: heads, attention_head_dim: 128 }
  return {
    index: { _class_name: 'Flux2KleinPipeline', is_distilled: true, text_encoder_out_layers: [9, 18, 27] },
    tokenizer: 'tiny-qwen',
    parts: {
      text_encoder: text,
      transformer: {
        ...{ parameters, half: true, config: { ...config, joint_attention_dim: joint } },
        inputs: [
          tokens(128),
          half('encoder_hidden_states', 'batch', 'tokens', joint),
          times,
          ids('img_ids'),
          ids('txt_ids'),
        ],
        outputs: [half('out_hidden_states', 'batch', 'image_tokens', 128)],
      },
      ...vae(50e6, 32, {
        ...KL,
        latent_channels: 32,
        latents_mean: Array(128).fill(0),
        latents_std: Array(128).fill(1),
      }),
    },
  }
}

const LAYERS = ['hidden_states.9', 'hidden_states.18', 'hidden_states.27']

export const PUBLISHED: Readonly<Record<string, Layout>> = {
  zimage: {
    index: { _class_name: 'ZImagePipeline' },
    tokenizer: 'tiny-qwen',
    parts: {
      text_encoder: encoder(3.922e9, 2560, 36, ['hidden_states.35']),
      transformer: {
        ...{ parameters: 6.155e9, half: true },
        config: {
          in_channels: 16,
          dim: 3840,
          n_heads: 30,
          cap_feat_dim: 2560,
          axes_lens: [1536, 512, 512],
          all_patch_size: [2],
        },
        inputs: [
          half('hidden_states', 'batch', 16, 'latent_height', 'latent_width'),
          { name: 'timestep', type: float32, dims: ['batch'] },
          half('encoder_hidden_states', 'batch', 'tokens', 2560),
          { name: 'encoder_attention_mask', type: int64, dims: ['batch', 'tokens'] },
        ],
        outputs: [half('out_hidden_states', 'batch', 16, 'latent_height', 'latent_width')],
      },
      ...FLUX_VAE,
    },
  },
  'klein-4b': klein(3.876e9, 24, encoder(3.114e9, 2560, 36, LAYERS)),
  'klein-9b': klein(9.079e9, 32, encoder(5.832e9, 4096, 36, LAYERS)),
  chroma: {
    index: { _class_name: 'ChromaPipeline' },
    tokenizer: 'tiny-t5',
    parts: {
      text_encoder: {
        ...encoder(4.762e9, 4096, 24, ['last_hidden_state']),
        config: { d_model: 4096, num_layers: 24 },
      },
      transformer: {
        ...{ parameters: 8.9e9, half: true },
        config: {
          patch_size: 1,
          in_channels: 64,
          num_attention_heads: 24,
          attention_head_dim: 128,
          joint_attention_dim: 4096,
        },
        inputs: [
          tokens(64),
          half('encoder_hidden_states', 'batch', 'tokens', 4096),
          times,
          half('img_ids', 'image_tokens', 3),
          half('txt_ids', 'tokens', 3),
          half('attention_mask', 'batch', 'all_tokens'),
        ],
        outputs: [half('out_hidden_states', 'batch', 'image_tokens', 64)],
      },
      ...FLUX_VAE,
    },
  },
  qwenimage: {
    index: { _class_name: 'QwenImagePipeline' },
    tokenizer: 'tiny-qwen',
    parts: {
      text_encoder: {
        ...encoder(7.071e9, 3584, 28, ['last_hidden_state']),
        config: { text_config: { hidden_size: 3584 } },
      },
      transformer: {
        ...{ parameters: 20.43e9, half: true },
        config: {
          patch_size: 2,
          in_channels: 64,
          num_attention_heads: 24,
          attention_head_dim: 128,
          joint_attention_dim: 3584,
        },
        inputs: [
          tokens(64),
          half('encoder_hidden_states', 'batch', 'tokens', 3584),
          { name: 'encoder_hidden_states_mask', type: int64, dims: ['batch', 'tokens'] },
          times,
          { name: 'height', type: int64 },
          { name: 'width', type: int64 },
        ],
        outputs: [half('out_hidden_states', 'batch', 'image_tokens', 64)],
      },
      ...vae(73e6, 16, {
        ...{ base_dim: 96, dim_mult: [1, 2, 4, 4], z_dim: 16, temperal_downsample: [false, true, true] },
        ...{ latents_mean: Array(16).fill(0), latents_std: Array(16).fill(1) },
      }),
    },
  },
}

const video = (name: string, channels: number, frames: number | string = 'frames'): ValueSpec => ({
  ...{ name, type: float32 },
  dims: ['batch', channels, frames, 'height', 'width'],
})

/** Wan 2.1 T2V 1.3B in fp16, its VAE in float32 as one graph for the whole video. */
export function wan13B(fused: boolean): Layout {
  const config = {
    ...{ base_dim: 96, dim_mult: [1, 2, 4, 4], z_dim: 16, temperal_downsample: [false, true, true] },
    ...{ latents_mean: Array(16).fill(0), latents_std: Array(16).fill(1) },
  }
  return {
    index: { _class_name: 'WanPipeline' },
    scheduler: {
      ...{ _class_name: 'UniPCMultistepScheduler', use_flow_sigmas: true, flow_shift: 3 },
      prediction_type: 'flow_prediction',
    },
    tokenizer: 'tiny-t5',
    parts: {
      text_encoder: {
        ...encoder(5.68e9, 4096, 24, ['last_hidden_state']),
        config: { d_model: 4096, num_layers: 24 },
      },
      transformer: {
        ...{ parameters: 1.419e9, half: true, fused },
        config: {
          ...{
            in_channels: 16,
            out_channels: 16,
            text_dim: 4096,
            patch_size: [1, 2, 2],
            rope_max_seq_len: 1024,
          },
          ...{ num_attention_heads: 12, attention_head_dim: 128, num_layers: 30, ffn_dim: 8960 },
        },
        inputs: [
          video('hidden_states', 16),
          { name: 'timestep', type: float32, dims: ['batch'] },
          half('encoder_hidden_states', 'batch', 'tokens', 4096),
        ],
        outputs: [video('out_sample', 16)],
      },
      vae_decoder: {
        ...{ parameters: 73e6, half: false, config },
        inputs: [video('latent_sample', 16)],
        outputs: [video('sample', 3)],
      },
    },
  }
}

/** Makes the folder. @param weights files of holes, or none at all */
export function writeLayout(
  { index, tokenizer, parts, scheduler = { use_dynamic_shifting: true } }: Layout,
  folder: string,
  weights: 'holes' | 'absent',
): void {
  const json = (path: string, value: unknown) => writeFileSync(join(folder, path), JSON.stringify(value))
  for (const name of ['scheduler', ...Object.keys(parts)]) mkdirSync(join(folder, name), { recursive: true })
  const { _class_name: schedulerClass = 'FlowMatchEulerDiscreteScheduler' } = scheduler
  json('model_index.json', { ...index, scheduler: ['diffusers', schedulerClass] })
  json('scheduler/scheduler_config.json', scheduler)
  const from = join(packageRoot, 'test/fixtures/tokenizers', tokenizer)
  const to = join(folder, 'tokenizer')
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('.gz') })
  writeFileSync(join(to, 'tokenizer.json'), gunzipSync(readFileSync(join(from, 'tokenizer.json.gz'))))
  for (const [name, { parameters, half: isHalf, config, inputs, outputs, fused }] of Object.entries(parts)) {
    json(`${name}/config.json`, config)
    const length = parameters * (isHalf ? 2 : 4)
    const external = { location: 'model.onnx_data', offset: 0, length }
    const weight = { name: 'weight', type: isHalf ? float16 : float32, dims: [parameters], external }
    const attention = ['MultiHeadAttention', [inputs[0]!.name], [outputs[0]!.name]] as const
    const nodes = fused === true ? [attention] : []
    writeFileSync(join(folder, name, 'model.onnx'), onnxModel({ inputs, outputs, weights: [weight], nodes }))
    if (weights === 'absent') continue
    const data = join(folder, name, 'model.onnx_data')
    writeFileSync(data, '')
    truncateSync(data, length)
  }
}
