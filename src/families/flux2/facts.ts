/** FLUX.2 klein: three of Qwen3's hidden states, latents of patches, and pictures that the model looks at while it draws. */
import { contextWidth, latentsAgree } from '../agreements.ts'
import { OUT_LAYERS, TRANSFORMER, VAE } from '../contract.ts'
import { type ChatTemplate, defineFamily, type LatentRgbFactors } from '../family.ts'
import { sigmasUnlessOwn } from '../flow-shift.ts'
import { type ModelView, numberIn } from '../model-view.ts'
import { flowMisfit } from '../scheduler-fit.ts'

/** 32 channels, unpatchified. Figures from Comfy-Org/ComfyUI, comfy/latent_formats.py, class Flux2, at 75399d7. */
const FLUX2_FACTORS: LatentRgbFactors = {
  factors: [
    [0.0058, 0.0113, 0.0073],
    [0.0495, 0.0443, 0.0836],
    [-0.0099, 0.0096, 0.0644],
    [0.2144, 0.3009, 0.3652],
    [0.0166, -0.0039, -0.0054],
    [0.0157, 0.0103, -0.016],
    [-0.0398, 0.0902, -0.0235],
    [-0.0052, 0.0095, 0.0109],
    [-0.3527, -0.2712, -0.1666],
    [-0.0301, -0.0356, -0.018],
    [-0.0107, 0.0078, 0.0013],
    [0.0746, 0.009, -0.0941],
    [0.0156, 0.0169, 0.007],
    [-0.0034, -0.004, -0.0114],
    [0.0032, 0.0181, 0.008],
    [-0.0939, -0.0008, 0.0186],
    [0.0018, 0.0043, 0.0104],
    [0.0284, 0.0056, -0.0127],
    [-0.0024, -0.0022, -0.003],
    [0.1207, -0.0026, 0.0065],
    [0.0128, 0.0101, 0.0142],
    [0.0137, -0.0072, -0.0007],
    [0.0095, 0.0092, -0.0059],
    [0, -0.0077, -0.0049],
    [-0.0465, -0.0204, -0.0312],
    [0.0095, 0.0012, -0.0066],
    [0.029, -0.0034, 0.0025],
    [0.022, 0.0169, -0.0048],
    [-0.0332, -0.0457, -0.0468],
    [-0.0085, 0.0389, 0.0609],
    [-0.0076, 0.0003, -0.0043],
    [-0.0111, -0.046, -0.0614],
  ],
  bias: [-0.0329, -0.0718, -0.0851],
}

/** diffusers' default length of the templated prompt, pads and all, and the sheet's limit. */
export const FLUX2_TOKENS = 512

/**
 * Qwen3's chat template for one user message with thinking off, as transformers' `apply_chat_template` renders it
 * (`tokenizer_config.json` of Qwen/Qwen3-4B and 8B): the prompt is neither trimmed nor escaped.
 */
export const FLUX2_TEMPLATE: ChatTemplate = [
  '<|im_start|>user\n',
  '<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n',
]

/** What Qwen3 is given for a prompt. */
export function flux2Template(prompt: string): string {
  const [before, after] = FLUX2_TEMPLATE
  return before + prompt + after
}

export const flux2 = defineFamily({
  name: 'flux2',
  title: 'FLUX.2 klein',
  pipelineClass: 'Flux2KleinPipeline',
  schedulerClass: 'FlowMatchEulerDiscreteScheduler',
  contract: [
    {
      component: 'text_encoder',
      tokenizer: 'tokenizer',
      // Pads go into the denoiser: what they hold depends on the mask.
      inputs: ['input_ids', 'attention_mask'],
      outputs: [[OUT_LAYERS]],
    },
    {
      ...TRANSFORMER,
      inputs: ['hidden_states', 'encoder_hidden_states', 'timestep', 'txt_ids', 'img_ids'],
    },
    ...VAE,
  ],
  denoiser: 'transformer',
  latentChannels: 32,
  hasDefaultVae: false,
  vaeScalingFactor: 1,
  // A mean and a deviation for each place of a 2 × 2 patch.
  statisticsPerChannel: 4,
  imageToImage: false,
  defaults: { steps: 50, guidanceScale: 4, sampleSize: 128 },
  guidance: 'second-evaluation',
  isDistilled: ({ modelIndex }) => modelIndex.is_distilled === true,
  takes: ['maxSequenceLength', 'images'],
  agreements: (model) => [
    {
      what: 'texts',
      wanted: contextWidth(model, 'transformer', 'joint_attention_dim'),
      wantedBy: 'transformer',
      given: joinedWidth(model),
      givenBy: 'text_encoder',
    },
    latentsAgree(model, { component: 'transformer', input: 'hidden_states', axis: 2, packed: 4 }),
  ],
  sizeMultiple: (model) => 2 * model.vaeScale,
  maxSequenceLength: () => FLUX2_TOKENS,
  cuts: { sequenceLength: FLUX2_TOKENS, template: FLUX2_TEMPLATE },
  schedule: {
    strength: 'floor-start',
    // Sigmas 1 … 1/n, shifted by the number of image tokens and of steps.
    options: (config, { steps, imageTokens }) => ({
      mu: empiricalShift(imageTokens, steps),
      ...sigmasUnlessOwn(config, steps),
    }),
    misfit: flowMisfit,
  },
  previewFactors: () => FLUX2_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})

/** Channels of the hidden states side by side; undefined where the folder does not say how many there are. */
function joinedWidth(model: ModelView): number | undefined {
  const width = numberIn(model, 'text_encoder', 'hidden_size')
  const { text_encoder_out_layers: layers } = model.modelIndex
  return width === undefined || !Array.isArray(layers) ? undefined : width * layers.length
}

/** Above this many image tokens mu does not depend on the steps. */
const MANY_TOKENS = 4300

/**
 * mu of the shift, measured by the model's makers for 10 and for 200 steps and linear between them: diffusers'
 * compute_empirical_mu. Reference pictures do not count.
 */
export function empiricalShift(imageTokens: number, steps: number): number {
  const at200 = 0.00016927 * imageTokens + 0.45666666
  if (imageTokens > MANY_TOKENS) return at200
  const at10 = 8.73809524e-5 * imageTokens + 1.89833333
  const slope = (at200 - at10) / 190
  return slope * steps + at200 - 200 * slope
}
