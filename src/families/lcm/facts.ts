/** Latent consistency models: guidance goes in as an embedding, a few steps do. */
import { textEncoder, UNET, VAE } from '../contract.ts'
import { defineFamily } from '../family.ts'
import { unetSizeMultiple } from '../model-view.ts'
import { lcmMisfit } from '../scheduler-fit.ts'
import { SD_FACTORS, sd } from '../sd/facts.ts'
import { SDXL_FACTORS } from '../sdxl/facts.ts'

/** Half-way between the scaling factors of SDXL's latent space (0.13025) and SD 1.x's (0.18215). */
const SDXL_BELOW = 0.155

export const lcm = defineFamily({
  name: 'lcm',
  title: 'LCM',
  pipelineClass: 'LatentConsistencyModelPipeline',
  schedulerClass: 'LCMScheduler',
  contract: [
    textEncoder('text_encoder', 'tokenizer', { outputs: ['last_hidden_state'] }),
    { ...UNET, inputs: [...UNET.inputs, 'timestep_cond'], optionalInputs: [] },
    ...VAE,
  ],
  denoiser: 'unet',
  latentChannels: 4,
  hasDefaultVae: true,
  defaults: { steps: 4, guidanceScale: 8.5, sampleSize: 64 },
  guidance: 'distilled',
  hasFusableAttention: true,
  takes: ['promptSyntax'],
  agreements: sd.agreements,
  sizeMultiple: unetSizeMultiple,
  maxSequenceLength: () => null,
  cuts: { sequenceLength: null },
  schedule: { strength: 'in-scheduler', misfit: lcmMisfit },
  previewFactors: (vaeScalingFactor?: number) =>
    vaeScalingFactor !== undefined && vaeScalingFactor < SDXL_BELOW ? SDXL_FACTORS : SD_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})
