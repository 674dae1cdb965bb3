/** Z-Image, Turbo and base: one stream of picture and text, guidance that counts from 0. */
import { latentsAgree } from '../agreements.ts'
import { PENULTIMATE, textEncoder, VAE } from '../contract.ts'
import { type ChatTemplate, defineFamily } from '../family.ts'
import { descendingFloats, flowShift } from '../flow-shift.ts'
import { FLUX_FACTORS } from '../flux/facts.ts'
import { numberIn } from '../model-view.ts'
import { flowMisfit } from '../scheduler-fit.ts'

/** diffusers' default of `max_sequence_length`. */
export const ZIMAGE_TOKENS = 512
/** What Qwen3's chat template makes of one message with thinking on, as the pipeline asks for it. */
export const ZIMAGE_TEMPLATE: ChatTemplate = ['<|im_start|>user\n', '<|im_end|>\n<|im_start|>assistant\n']

/** The longest that a sheet may ask for. */
const MAX_TOKENS = 1024
/** Picture and text are padded to multiples of this. */
const TOKEN_BLOCK = 32

export const zimage = defineFamily({
  name: 'zimage',
  title: 'Z-Image',
  pipelineClass: 'ZImagePipeline',
  schedulerClass: 'FlowMatchEulerDiscreteScheduler',
  contract: [
    textEncoder('text_encoder', 'tokenizer', { outputs: [PENULTIMATE] }),
    {
      component: 'transformer',
      inputs: ['hidden_states', 'timestep', 'encoder_hidden_states', 'encoder_attention_mask'],
      outputs: [['out_hidden_states']],
    },
    ...VAE,
  ],
  denoiser: 'transformer',
  latentChannels: 16,
  hasDefaultVae: false,
  defaults: { steps: 50, guidanceScale: 5, sampleSize: 128 },
  guidance: 'second-evaluation-from-zero',
  takes: ['negativePrompt', 'maxSequenceLength', 'cfgNormalization', 'cfgTruncation'],
  masksTexts: true,
  agreements: (model) => [
    {
      what: 'texts',
      wanted:
        model.input('transformer', 'encoder_hidden_states', 2) ??
        numberIn(model, 'transformer', 'cap_feat_dim'),
      wantedBy: 'transformer',
      given: numberIn(model, 'text_encoder', 'hidden_size'),
      givenBy: 'text_encoder',
    },
    latentsAgree(model, { component: 'transformer', input: 'hidden_states', axis: 1 }),
  ],
  sizeMultiple: (model) => 2 * model.vaeScale,
  // The picture's place on the first axis follows the text's, padded.
  maxSequenceLength: (model) => {
    const lengths = model.config('transformer', 'axes_lens')
    const places: unknown = Array.isArray(lengths) ? lengths[0] : undefined
    if (typeof places !== 'number') return MAX_TOKENS
    return Math.min(MAX_TOKENS, Math.max(1, Math.floor((places - 2) / TOKEN_BLOCK)) * TOKEN_BLOCK)
  },
  cuts: { sequenceLength: ZIMAGE_TOKENS, template: ZIMAGE_TEMPLATE },
  schedule: {
    strength: 'floor-start',
    options: (config, { steps, imageTokens }) => ({
      mu: flowShift(config, imageTokens, 1.15),
      ...(config.use_flow_sigmas === true ? {} : { sigmas: descendingFloats(steps) }),
    }),
    misfit: flowMisfit,
  },
  // FLUX.1's VAE.
  previewFactors: () => FLUX_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})
