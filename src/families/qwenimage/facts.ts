/** Qwen-Image: FLUX.1's tokens, a language model's hidden states, guidance that keeps each token's length. */
import { contextWidth, latentsAgree, textWidth } from '../agreements.ts'
import { textEncoder, VAE } from '../contract.ts'
import { type ChatTemplate, defineFamily } from '../family.ts'
import { flowShift, sigmasWhereTaken } from '../flow-shift.ts'
import { flowMisfit } from '../scheduler-fit.ts'
import { WAN21_FACTORS } from '../wan/preview-factors.ts'

/** diffusers' default of `max_sequence_length`. */
export const QWENIMAGE_TOKENS = 512

/** QwenImagePipeline's `prompt_template_encode`, and how many tokens of it are dropped: a fixed number there. */
export const QWENIMAGE_TEMPLATE: ChatTemplate = [
  '<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial ' +
    'relationships of the objects and background:<|im_end|>\n<|im_start|>user\n',
  '<|im_end|>\n<|im_start|>assistant\n',
]
export const DROPPED_TOKENS = 34
/** diffusers' limit of `max_sequence_length`. */
const MAX_TOKENS = 1024

export const qwenimage = defineFamily({
  name: 'qwenimage',
  title: 'Qwen-Image',
  pipelineClass: 'QwenImagePipeline',
  schedulerClass: 'FlowMatchEulerDiscreteScheduler',
  contract: [
    textEncoder('text_encoder', 'tokenizer', { outputs: ['last_hidden_state'] }),
    {
      component: 'transformer',
      inputs: [
        'hidden_states',
        'encoder_hidden_states',
        'encoder_hidden_states_mask',
        'timestep',
        'height',
        'width',
      ],
      outputs: [['out_hidden_states']],
    },
    ...VAE,
  ],
  denoiser: 'transformer',
  latentChannels: 16,
  hasDefaultVae: false,
  // AutoencoderKLQwenImage has means and deviations in its place.
  vaeScalingFactor: 1,
  statisticsPerChannel: 1,
  // The pipeline has no guidance_scale that does anything.
  defaults: { steps: 50, guidanceScale: 1, trueCfgScale: 4, sampleSize: 128 },
  guidance: 'true-cfg',
  takes: ['negativePrompt', 'maxSequenceLength', 'trueCfgScale'],
  ignores: ['guidanceScale'],
  masksTexts: true,
  agreements: (model) => [
    {
      what: 'texts',
      wanted: contextWidth(model, 'transformer', 'joint_attention_dim'),
      wantedBy: 'transformer',
      given: textWidth(model, 'text_encoder'),
      givenBy: 'text_encoder',
    },
    latentsAgree(model, { component: 'transformer', input: 'hidden_states', axis: 2, packed: 4 }),
  ],
  sizeMultiple: (model) => 2 * model.vaeScale,
  maxSequenceLength: () => MAX_TOKENS,
  cuts: { sequenceLength: QWENIMAGE_TOKENS, template: QWENIMAGE_TEMPLATE, droppedTokens: DROPPED_TOKENS },
  schedule: {
    strength: 'floor-start',
    options: (config, shape) => ({
      mu: flowShift(config, shape.imageTokens, 1.15),
      ...sigmasWhereTaken(config, shape),
    }),
    misfit: flowMisfit,
  },
  previewFactors: () => WAN21_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})
