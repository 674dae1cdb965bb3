/** A family of its own, as a person would add it: Stable Diffusion's parts under another name, without guidance. */
import { textEncoder, UNET, VAE } from '../../../src/families/contract.ts'
import { defineFamily } from '../../../src/families/family.ts'
import { noiseMisfit } from '../../../src/families/scheduler-fit.ts'

export const toy = defineFamily({
  name: 'toy',
  title: 'Toy',
  pipelineClass: 'ToyPipeline',
  schedulerClass: 'EulerDiscreteScheduler',
  contract: [
    textEncoder('text_encoder', 'tokenizer', { outputs: ['last_hidden_state'] }),
    { ...UNET, component: 'toy_net' },
    ...VAE,
  ],
  denoiser: 'toy_net',
  latentChannels: 4,
  hasDefaultVae: true,
  defaults: { steps: 3, guidanceScale: 1, sampleSize: 8 },
  guidance: 'distilled',
  takes: [],
  agreements: () => [],
  sizeMultiple: (model) => 4 * model.vaeScale,
  maxSequenceLength: () => null,
  schedule: { strength: 'floor-kept', misfit: noiseMisfit },
  previewFactors: () => ({
    factors: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 0],
    ],
    bias: [0, 0, 0],
  }),
  pipeline: () => import('./pipeline.ts'),
})
