import type { ModelFacts } from '../../src/plan/model-facts.ts'
import type { Unit } from '../../src/plan/unit.ts'

export const SD3_FACTS: ModelFacts = {
  family: 'sd3',
  fingerprint: 'f'.repeat(64),
  defaults: { steps: 28, guidanceScale: 7, width: 128, height: 128 },
  sizeMultiple: 16,
  latentChannels: 16,
  schedulerClass: 'FlowMatchEulerDiscreteScheduler',
  schedulerConfig: { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 3 },
  hasVaeEncoder: true,
  hasPreviewDecoder: true,
  hasLatentRgb: true,
  maxSequenceLength: null,
}

export const SD_FACTS: ModelFacts = {
  ...SD3_FACTS,
  family: 'sd',
  defaults: { steps: 50, guidanceScale: 7.5, width: 512, height: 512 },
  sizeMultiple: 64,
  latentChannels: 4,
  schedulerClass: 'PNDMScheduler',
  schedulerConfig: {
    _class_name: 'PNDMScheduler',
    skip_prk_steps: true,
    beta_schedule: 'scaled_linear',
    steps_offset: 1,
  },
  hasPreviewDecoder: false,
}

export const LCM_FACTS: ModelFacts = {
  ...SD_FACTS,
  family: 'lcm',
  defaults: { steps: 4, guidanceScale: 8.5, width: 512, height: 512 },
  schedulerClass: 'LCMScheduler',
  schedulerConfig: { _class_name: 'LCMScheduler' },
}

/** A plain unit, with some of it changed. */
export function unitOf(changes: Partial<Unit> = {}): Unit {
  return {
    cue: 'dawn',
    variant: 'wide',
    program: 'P1',
    output: 'image',
    model: 'backdrop',
    prompt: 'a hill',
    negativePrompt: undefined,
    prompt2: undefined,
    negativePrompt2: undefined,
    promptSyntax: 'plain',
    maxSequenceLength: undefined,
    seed: 7n,
    rng: 'torch-cpu',
    steps: 5,
    executedSteps: 5,
    guided: true,
    guidanceScale: 4.5,
    width: 128,
    height: 128,
    scheduler: { name: undefined, config: {} },
    previews: { method: 'taesd', every: 1, source: 'denoised', size: 'image' },
    image: undefined,
    denoiseStrength: undefined,
    exactCopyMode: false,
    thumbnail: false,
    embedMetadata: false,
    batch: 1,
    ...changes,
  }
}
