/** Wan 2.1 and 2.2: videos from text, from a first and a last picture, or from a video. */
import { type Agreement, contextWidth, textWidth } from '../agreements.ts'
import { PENULTIMATE } from '../contract.ts'
import { defineFamily } from '../family.ts'
import { type ModelView, numberIn } from '../model-view.ts'
import { flowMisfit } from '../scheduler-fit.ts'
import { wanKind } from './kind.ts'
import { WAN21_FACTORS, WAN22_FACTORS } from './preview-factors.ts'

/**
 * diffusers' own length of the text, padding included: the denoiser attends to all of it, and image-to-video with CLIP states takes
 * it for granted.
 */
export const WAN_TOKENS = 512

const TRANSFORMER_VALUES = {
  inputs: ['hidden_states', 'timestep', 'encoder_hidden_states'],
  optionalInputs: ['encoder_hidden_states_image'],
  outputs: [['out_sample']],
} as const

export const wan = defineFamily({
  name: 'wan',
  title: 'Wan',
  pipelineClass: 'WanPipeline',
  otherClasses: ['WanImageToVideoPipeline', 'WanVideoToVideoPipeline'],
  schedulerClass: 'UniPCMultistepScheduler',
  contract: [
    {
      component: 'text_encoder',
      tokenizer: 'tokenizer',
      // What stands for padding is left out by the mask, which changes the text's own states.
      inputs: ['input_ids', 'attention_mask'],
      outputs: [['last_hidden_state']],
    },
    { component: 'transformer', ...TRANSFORMER_VALUES },
    { component: 'transformer_2', optional: true, onDemand: true, ...TRANSFORMER_VALUES },
    {
      component: 'image_encoder',
      optional: true,
      forImages: true,
      inputs: ['pixel_values'],
      outputs: [[PENULTIMATE]],
    },
    { component: 'vae_decoder', inputs: ['latent_sample'], outputs: [['sample']] },
    {
      component: 'vae_decoder_with_past',
      optional: true,
      streams: true,
      inputs: ['latent_sample'],
      outputs: [['sample']],
    },
    {
      component: 'vae_encoder',
      optional: true,
      forImages: true,
      inputs: ['sample'],
      outputs: [['latent_parameters']],
    },
    {
      component: 'vae_encoder_with_past',
      optional: true,
      forImages: true,
      streams: true,
      inputs: ['sample'],
      outputs: [['latent_parameters']],
    },
  ],
  denoiser: 'transformer',
  latentChannels: 16,
  hasDefaultVae: false,
  vaeScalingFactor: 1,
  statisticsPerChannel: 1,
  defaults: { steps: 50, guidanceScale: 5, sampleSize },
  guidance: 'second-evaluation',
  takes: [
    'negativePrompt',
    'maxSequenceLength',
    'numFrames',
    'fps',
    'lastImage',
    'video',
    'videoFormat',
    'frames',
    'guidanceScale2',
  ],
  agreements: (model): readonly Agreement[] => [
    {
      what: 'texts',
      wanted: contextWidth(model, 'transformer', 'text_dim'),
      wantedBy: 'transformer',
      given: textWidth(model, 'text_encoder'),
      givenBy: 'text_encoder',
    },
    ...['transformer', 'transformer_2'].map((component) => ({
      what: 'latents',
      wanted: model.output(component, 'out_sample', 1) ?? numberIn(model, component, 'out_channels'),
      wantedBy: component,
      given: model.input('vae_decoder', 'latent_sample', 1) ?? numberIn(model, 'vae_decoder', 'z_dim'),
      givenBy: 'vae_decoder',
    })),
    {
      what: 'CLIP states',
      wanted: numberIn(model, 'transformer', 'image_dim'),
      wantedBy: 'transformer',
      given: numberIn(model, 'image_encoder', 'hidden_size'),
      givenBy: 'image_encoder',
    },
  ],
  sizeMultiple: (model) => 2 * model.vaeScale,
  maxSequenceLength: () => WAN_TOKENS,
  cuts: { sequenceLength: WAN_TOKENS, isCleaned: true },
  schedule: { strength: 'floor-kept', misfit: flowMisfit },
  video: {
    defaults: (model) =>
      wanKind(model).expandsTimesteps ? { numFrames: 121, fps: 24 } : { numFrames: 81, fps: 16 },
    framesPerLatent: (model) => numberIn(model, 'vae_decoder', 'scale_factor_temporal') ?? 4,
    keyframes: (model) => wanKind(model).keyframes,
    startsFromVideo: (model) => {
      const { isConditioned, expandsTimesteps } = wanKind(model)
      return !isConditioned && !expandsTimesteps
    },
    textLength: (model) => (wanKind(model).hasVision ? WAN_TOKENS : null),
  },
  previewFactors: (_?: number, channels?: number) =>
    channels === WAN22_FACTORS.factors.length ? WAN22_FACTORS : WAN21_FACTORS,
  pipeline: () => import('./pipeline.ts'),
})

/** 832 × 480; 1280 × 704 for Wan 2.2 TI2V 5B. */
function sampleSize(model: ModelView): readonly [height: number, width: number] {
  return wanKind(model).expandsTimesteps ? [44, 80] : [60, 104]
}
