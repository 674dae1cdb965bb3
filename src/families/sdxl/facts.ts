/** Stable Diffusion XL, its Turbo and its refiner (image-to-image, second encoder only). */
import { contextWidth, latentsAgree, projectionWidth, sum, textWidth } from '../agreements.ts'
import { PENULTIMATE, textEncoder, UNET, VAE } from '../contract.ts'
import { defineFamily, type LatentRgbFactors } from '../family.ts'
import { unetSizeMultiple } from '../model-view.ts'
import { noiseMisfit } from '../scheduler-fit.ts'

/** 4 channels, scaling factor 0.13025. Source and licence as in ../sd/facts.ts. */
export const SDXL_FACTORS: LatentRgbFactors = {
  factors: [
    [0.258303, 0.27764, 0.329699],
    [-0.299701, 0.105446, 0.014194],
    [0.050522, 0.186163, -0.143257],
    [-0.211938, -0.149892, -0.080036],
  ],
  bias: [0.144381, -0.033313, 0.007061],
}

export const sdxl = defineFamily({
  name: 'sdxl',
  title: 'SDXL, Turbo',
  pipelineClass: 'StableDiffusionXLPipeline',
  schedulerClass: 'EulerDiscreteScheduler',
  contract: [
    textEncoder('text_encoder', 'tokenizer', { outputs: [PENULTIMATE], optional: true }),
    textEncoder('text_encoder_2', 'tokenizer_2', { outputs: [PENULTIMATE, 'text_embeds'] }),
    { ...UNET, inputs: [...UNET.inputs, 'text_embeds', 'time_ids'] },
    ...VAE,
  ],
  denoiser: 'unet',
  latentChannels: 4,
  hasDefaultVae: false,
  defaults: { steps: 50, guidanceScale: 5, sampleSize: 128 },
  guidance: 'second-evaluation',
  inpainting: { strength: 0.9999 },
  stacksGuidance: true,
  hasFusableAttention: true,
  takes: ['mask', 'negativePrompt', 'prompt2', 'negativePrompt2', 'promptSyntax'],
  agreements(model) {
    const alone = !model.has('text_encoder')
    const second = textWidth(model, 'text_encoder_2')
    return [
      {
        what: 'texts',
        wanted: contextWidth(model, 'unet', 'cross_attention_dim'),
        wantedBy: 'unet',
        given: alone ? second : sum(textWidth(model, 'text_encoder'), second),
        givenBy: alone ? 'text_encoder_2' : 'text_encoder with text_encoder_2',
      },
      {
        what: 'pooled texts',
        wanted: model.input('unet', 'text_embeds', 1),
        wantedBy: 'unet',
        given: projectionWidth(model, 'text_encoder_2'),
        givenBy: 'text_encoder_2',
      },
      latentsAgree(model, { component: 'unet', input: 'sample', axis: 1, inpainting: true }),
    ]
  },
  sizeMultiple: unetSizeMultiple,
  maxSequenceLength: () => null,
  cuts: { sequenceLength: null },
  schedule: { strength: 'floor-kept', misfit: noiseMisfit },
  previewFactors: () => SDXL_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})
