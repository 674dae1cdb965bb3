/** FLUX.1 dev and schnell: latents packed into tokens, guidance as an input of the model (dev). */
import { contextWidth, latentsAgree, pooledWidth, textWidth } from '../agreements.ts'
import { TRANSFORMER, textEncoder, VAE } from '../contract.ts'
import { defineFamily, type LatentRgbFactors } from '../family.ts'
import { flowShift, sigmasUnlessOwn } from '../flow-shift.ts'
import { numberIn } from '../model-view.ts'
import { flowMisfit } from '../scheduler-fit.ts'

/** 16 channels, unpacked to [1, 16, h, w]. Source and licence as in ../sd/facts.ts. */
export const FLUX_FACTORS: LatentRgbFactors = {
  factors: [
    [-0.041168, 0.019917, 0.097253],
    [0.028096, 0.02673, 0.129576],
    [0.065618, -0.06795, -0.014651],
    [-0.012998, -0.014762, 0.081251],
    [0.078567, 0.059296, -0.024687],
    [-0.015987, -0.003697, 0.005012],
    [0.033605, 0.138999, 0.068517],
    [-0.02445, -0.063567, -0.030101],
    [-0.040194, -0.01671, 0.127185],
    [0.112681, 0.088764, -0.04194],
    [-0.023498, 0.093664, 0.025543],
    [0.082899, 0.04832, 0.007491],
    [0.075712, 0.074139, 0.081965],
    [-0.143501, 0.018263, -0.136138],
    [-0.025767, -0.082035, -0.040023],
    [-0.111849, -0.055589, -0.032361],
  ],
  bias: [0.0246, -0.006937, -0.008089],
}

/** diffusers' default length of T5's input. */
export const FLUX_TOKENS = 512
/** diffusers' limit of `max_sequence_length`. */
const MAX_T5_LENGTH = 512

export const flux = defineFamily({
  name: 'flux',
  title: 'FLUX.1',
  pipelineClass: 'FluxPipeline',
  schedulerClass: 'FlowMatchEulerDiscreteScheduler',
  contract: [
    textEncoder('text_encoder', 'tokenizer', { outputs: ['pooler_output'] }),
    textEncoder('text_encoder_2', 'tokenizer_2', { outputs: ['last_hidden_state'] }),
    {
      ...TRANSFORMER,
      inputs: [...TRANSFORMER.inputs, 'txt_ids', 'img_ids'],
      optionalInputs: ['guidance'],
    },
    ...VAE,
  ],
  denoiser: 'transformer',
  latentChannels: 16,
  hasDefaultVae: false,
  defaults: { steps: 28, guidanceScale: 3.5, sampleSize: 128 },
  // guidance_scale goes into the model; true_cfg_scale evaluates it a second time.
  guidance: 'true-cfg',
  takes: ['negativePrompt', 'prompt2', 'negativePrompt2', 'maxSequenceLength', 'trueCfgScale'],
  agreements: (model) => [
    {
      what: 'texts',
      wanted: contextWidth(model, 'transformer', 'joint_attention_dim'),
      wantedBy: 'transformer',
      given: textWidth(model, 'text_encoder_2'),
      givenBy: 'text_encoder_2',
    },
    {
      what: 'pooled texts',
      wanted: pooledWidth(model),
      wantedBy: 'transformer',
      given:
        model.output('text_encoder', 'pooler_output', 1) ?? numberIn(model, 'text_encoder', 'hidden_size'),
      givenBy: 'text_encoder',
    },
    latentsAgree(model, { component: 'transformer', input: 'hidden_states', axis: 2, packed: 4 }),
  ],
  sizeMultiple: (model) => 2 * model.vaeScale,
  maxSequenceLength: () => MAX_T5_LENGTH,
  cuts: { sequenceLength: FLUX_TOKENS },
  schedule: {
    strength: 'floor-start',
    // Sigmas 1 … 1/n, shifted by the number of image tokens where the config says so.
    options: (config, { steps, imageTokens }) => ({
      mu: flowShift(config, imageTokens, 1.15),
      ...sigmasUnlessOwn(config, steps),
    }),
    misfit: flowMisfit,
  },
  previewFactors: () => FLUX_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})
