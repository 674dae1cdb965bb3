/** Stable Diffusion 3 and 3.5, with and without T5. */
import { contextWidth, latentsAgree, pooledWidth, projectionWidth, sum, textWidth } from '../agreements.ts'
import { PENULTIMATE, TRANSFORMER, textEncoder, VAE } from '../contract.ts'
import { defineFamily, type LatentRgbFactors } from '../family.ts'
import { flowShift } from '../flow-shift.ts'
import { numberIn } from '../model-view.ts'
import { flowMisfit } from '../scheduler-fit.ts'

/** 16 channels. Source and licence as in ../sd/facts.ts. */
const SD3_FACTORS: LatentRgbFactors = {
  factors: [
    [-0.0645, 0.0177, 0.1052],
    [0.0028, 0.0312, 0.065],
    [0.1848, 0.0762, 0.036],
    [0.0944, 0.036, 0.0889],
    [0.0897, 0.0506, -0.0364],
    [-0.002, 0.1203, 0.0284],
    [0.0855, 0.0118, 0.0283],
    [-0.0539, 0.0658, 0.1047],
    [-0.0057, 0.0116, 0.07],
    [-0.0412, 0.0281, -0.0039],
    [0.1106, 0.1171, 0.122],
    [-0.0248, 0.0682, -0.0481],
    [0.0815, 0.0846, 0.1207],
    [-0.012, -0.0055, -0.0867],
    [-0.0749, -0.0634, -0.0456],
    [-0.1418, -0.1457, -0.1259],
  ],
  bias: [0, 0, 0],
}

/** diffusers' default length of T5's input. */
export const SD3_TOKENS = 256
/** diffusers' limit of `max_sequence_length`. */
const MAX_T5_LENGTH = 512

export const sd3 = defineFamily({
  name: 'sd3',
  title: 'Stable Diffusion 3, 3.5',
  pipelineClass: 'StableDiffusion3Pipeline',
  schedulerClass: 'FlowMatchEulerDiscreteScheduler',
  contract: [
    textEncoder('text_encoder', 'tokenizer', { outputs: [PENULTIMATE, 'text_embeds'] }),
    textEncoder('text_encoder_2', 'tokenizer_2', { outputs: [PENULTIMATE, 'text_embeds'] }),
    textEncoder('text_encoder_3', 'tokenizer_3', { outputs: ['last_hidden_state'], optional: true }),
    TRANSFORMER,
    ...VAE,
  ],
  denoiser: 'transformer',
  latentChannels: 16,
  hasDefaultVae: false,
  defaults: { steps: 28, guidanceScale: 7, sampleSize: 128 },
  guidance: 'second-evaluation',
  stacksGuidance: true,
  hasFusableAttention: true,
  takes: ['negativePrompt', 'prompt2', 'negativePrompt2', 'maxSequenceLength'],
  agreements: (model) => [
    {
      what: 'texts',
      wanted: contextWidth(model, 'transformer', 'joint_attention_dim'),
      wantedBy: 'transformer',
      given: sum(textWidth(model, 'text_encoder'), textWidth(model, 'text_encoder_2')),
      givenBy: 'text_encoder with text_encoder_2',
      atMost: true,
    },
    {
      what: 'texts',
      wanted: contextWidth(model, 'transformer', 'joint_attention_dim'),
      wantedBy: 'transformer',
      given: textWidth(model, 'text_encoder_3'),
      givenBy: 'text_encoder_3',
    },
    {
      what: 'pooled texts',
      wanted: pooledWidth(model),
      wantedBy: 'transformer',
      given: sum(projectionWidth(model, 'text_encoder'), projectionWidth(model, 'text_encoder_2')),
      givenBy: 'text_encoder with text_encoder_2',
    },
    latentsAgree(model, { component: 'transformer', input: 'hidden_states', axis: 1 }),
  ],
  sizeMultiple: (model) => (numberIn(model, 'transformer', 'patch_size') ?? 2) * model.vaeScale,
  maxSequenceLength: (model) => (model.has('text_encoder_3') ? MAX_T5_LENGTH : null),
  cuts: { sequenceLength: SD3_TOKENS, firstDecides: true },
  schedule: {
    strength: 'floor-start',
    // Some models shift the schedule with the picture's size.
    options: (config, { imageTokens }) =>
      config.use_dynamic_shifting === true ? { mu: flowShift(config, imageTokens, 1.16) } : {},
    misfit: flowMisfit,
  },
  previewFactors: () => SD3_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})
