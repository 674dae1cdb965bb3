/** Chroma: FLUX.1's latents and packing, one T5 whose padding is masked, and guidance by a negative prompt. */
import { contextWidth, latentsAgree, textWidth } from '../agreements.ts'
import { TRANSFORMER, VAE } from '../contract.ts'
import { defineFamily } from '../family.ts'
import { flowShift, sigmasWhereTaken } from '../flow-shift.ts'
import { flux } from '../flux/facts.ts'

/** diffusers' default length of T5's input. */
export const CHROMA_TOKENS = 512

export const chroma = defineFamily({
  name: 'chroma',
  title: 'Chroma',
  pipelineClass: 'ChromaPipeline',
  schedulerClass: 'FlowMatchEulerDiscreteScheduler',
  contract: [
    {
      component: 'text_encoder',
      tokenizer: 'tokenizer',
      // Exports for FLUX.1 have no mask; with Chroma they would give other pictures.
      inputs: ['input_ids', 'attention_mask'],
      outputs: [['last_hidden_state']],
    },
    {
      ...TRANSFORMER,
      inputs: ['hidden_states', 'encoder_hidden_states', 'timestep', 'txt_ids', 'img_ids', 'attention_mask'],
    },
    ...VAE,
  ],
  denoiser: 'transformer',
  latentChannels: 16,
  hasDefaultVae: false,
  defaults: { steps: 35, guidanceScale: 5, sampleSize: 128 },
  guidance: 'second-evaluation',
  takes: ['negativePrompt', 'maxSequenceLength'],
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
  sizeMultiple: flux.sizeMultiple,
  maxSequenceLength: flux.maxSequenceLength,
  cuts: { sequenceLength: CHROMA_TOKENS },
  schedule: {
    ...flux.schedule,
    options: (config, shape) => ({
      mu: flowShift(config, shape.imageTokens, 1.15),
      ...sigmasWhereTaken(config, shape),
    }),
  },
  previewFactors: flux.previewFactors,
  pipeline: () => import('./pipeline.ts'),
})
