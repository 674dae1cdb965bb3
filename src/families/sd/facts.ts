/** Stable Diffusion 1.x and 2.x. */
import { contextWidth, latentsAgree, textWidth } from '../agreements.ts'
import { textEncoder, UNET, VAE } from '../contract.ts'
import { defineFamily, type LatentRgbFactors } from '../family.ts'
import { unetSizeMultiple } from '../model-view.ts'
import { noiseMisfit } from '../scheduler-fit.ts'

/**
 * 4 channels, scaling factor 0.18215. Source: leejet/stable-diffusion.cpp, src/runtime/latent-preview.h, MIT licence,
 * Copyright (c) 2023 leejet.
 */
export const SD_FACTORS: LatentRgbFactors = {
  factors: [
    [0.337366, 0.216344, 0.257386],
    [0.165636, 0.386828, 0.046994],
    [-0.267803, 0.237036, 0.223517],
    [-0.178022, -0.200862, -0.678514],
  ],
  bias: [-0.017478, -0.055834, -0.105825],
}

export const sd = defineFamily({
  name: 'sd',
  title: 'Stable Diffusion 1, 2',
  pipelineClass: 'StableDiffusionPipeline',
  schedulerClass: 'PNDMScheduler',
  contract: [textEncoder('text_encoder', 'tokenizer', { outputs: ['last_hidden_state'] }), UNET, ...VAE],
  denoiser: 'unet',
  latentChannels: 4,
  hasDefaultVae: true,
  defaults: { steps: 50, guidanceScale: 7.5, sampleSize: 64 },
  guidance: 'second-evaluation',
  inpainting: { strength: 1 },
  stacksGuidance: true,
  hasFusableAttention: true,
  takes: ['mask', 'negativePrompt', 'promptSyntax'],
  agreements: (model) => [
    {
      what: 'texts',
      wanted: contextWidth(model, 'unet', 'cross_attention_dim'),
      wantedBy: 'unet',
      given: textWidth(model, 'text_encoder'),
      givenBy: 'text_encoder',
    },
    latentsAgree(model, { component: 'unet', input: 'sample', axis: 1, inpainting: true }),
  ],
  sizeMultiple: unetSizeMultiple,
  maxSequenceLength: () => null,
  cuts: { sequenceLength: null },
  schedule: {
    strength: 'floor-kept',
    // diffusers' StableDiffusionPipeline mends old configs. A scheduler that is made anew from that config keeps the
    // mended values of the keys that the file has; its class's defaults stand in for the others.
    mendConfig(config, madeAnew) {
      const mends = (key: string): boolean => !madeAnew || key in config
      return {
        ...config,
        ...(mends('steps_offset') ? { steps_offset: 1 } : {}),
        ...(mends('clip_sample') ? { clip_sample: false } : {}),
      }
    },
    misfit: noiseMisfit,
  },
  previewFactors: () => SD_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})
