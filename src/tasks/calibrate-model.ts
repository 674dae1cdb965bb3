/** `pregen models calibrate`: pictures that a model makes, and the linear preview map fitted to them. */
import { openPreviewSession } from '../engine/preview-session.ts'
import { PregenError } from '../errors.ts'
import type { LatentRgbFactors } from '../families/family.ts'
import { familyOf } from '../families/index.ts'
import { checkModelFolder } from '../model/check.ts'
import { modelFacts } from '../model/facts.ts'
import { type ModelFolder, readModelFolder } from '../model/folder.ts'
import { type RequestedProvider, resolveProvider } from '../model/providers.ts'
import { createPipeline } from '../pipelines/create-pipeline.ts'
import type { Pipeline, PromptConditioning } from '../pipelines/pipeline.ts'
import { builtInLength } from '../plan/fixed-shapes.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import { type Calibration, type CalibrationSample, calibrateLatentRgb } from '../preview/calibrate.ts'
import { imageOfTensor } from '../preview/image-of-tensor.ts'
import { createScorer, type Score } from '../preview/score.ts'

export interface CalibrateOptions {
  readonly path: string
  /** As `models.<id>.variant` of a sheet. */
  readonly variant: string | undefined
  readonly prompts: readonly string[]
  /** Pictures to draw; prompts are used in turn. */
  readonly pictures: number
  /** undefined: the family's default. */
  readonly steps: number | undefined
  /** undefined: the family's default. */
  readonly guidanceScale: number | undefined
  readonly provider: RequestedProvider
  /** Told before each picture, from 1. */
  readonly onPicture: (picture: number) => void
}

export interface ModelCalibration extends Calibration {
  /** The folder's own preview decoder on the same latents, at the pictures' full size; null without one. */
  readonly previewDecoder: Score | null
}

/** @throws PregenErrors for faults of the folder, PregenError `E_PREVIEW_…`, `E_CALIBRATE_SAMPLES` */
export async function calibrateModel(options: CalibrateOptions): Promise<ModelCalibration> {
  const folder = readModelFolder(options.path, { variant: options.variant })
  await checkModelFolder(folder)
  const facts = await modelFacts(folder)
  requireOneFrame(facts, folder.path)
  const provider = await resolveProvider(options.provider)
  const pipeline = createPipeline(folder, { provider })
  try {
    const prompts = await encodePrompts(pipeline, facts, options)
    await pipeline.loadDenoiser()
    const decoder =
      folder.previewDecoder === null || !facts.hasPreviewDecoder
        ? null
        : await openPreviewSession({
            path: folder.previewDecoder,
            channels: facts.latentChannels,
            provider,
            meter: pipeline.meter,
          })
    const decoded = createScorer()
    try {
      const calibration = await calibrateLatentRgb({
        samples: drawSamples({ pipeline, facts, prompts }, options, async (sample) => {
          if (decoder === null) return
          const { latents: data, dims } = sample
          decoded.add(imageOfTensor(await decoder.decode({ data, dims })), sample)
        }),
        published: matchingFactors(folder, facts),
      })
      return { ...calibration, previewDecoder: decoder === null ? null : decoded.score() }
    } finally {
      await decoder?.dispose()
    }
  } finally {
    await pipeline.dispose()
  }
}

/** Of a video one frame is drawn. @throws PregenError `E_FIXED_SHAPE` */
function requireOneFrame({ fixed }: ModelFacts, path: string): void {
  if (fixed?.numFrames == null || fixed.numFrames === 1) return
  const what = `This model was exported for videos of ${fixed.numFrames} frames, and the preview map is fitted to single ones.`
  throw new PregenError('E_FIXED_SHAPE', what, {
    help: 'Calibrate an export with free sizes: its preview.json fits this one.',
    location: { file: path },
  })
}

async function encodePrompts(
  pipeline: Pipeline,
  facts: ModelFacts,
  { prompts, pictures, guidanceScale = facts.defaults.guidanceScale }: CalibrateOptions,
): Promise<PromptConditioning[]> {
  await pipeline.loadTextEncoders()
  const withNegative = pipeline.usesNegativePrompt({ guidanceScale })
  const encoded: PromptConditioning[] = []
  for (const prompt of prompts.slice(0, pictures)) {
    encoded.push(
      await pipeline.encodePrompt({ prompt, withNegative, maxSequenceLength: builtInLength(facts) }),
    )
  }
  await pipeline.freeTextEncoders()
  return encoded
}

interface SampleSource {
  readonly pipeline: Pipeline
  readonly facts: ModelFacts
  readonly prompts: readonly PromptConditioning[]
}

async function* drawSamples(
  { pipeline, facts: { defaults, video }, prompts }: SampleSource,
  options: CalibrateOptions,
  whenDrawn: (sample: CalibrationSample) => Promise<void>,
): AsyncGenerator<CalibrationSample> {
  const { pictures, steps = defaults.steps, guidanceScale = defaults.guidanceScale, onPicture } = options
  const { width, height } = defaults
  for (let picture = 0; picture < pictures; picture++) {
    onPicture(picture + 1)
    const conditioning = prompts[picture % prompts.length]
    if (!conditioning) throw new Error(`no prompt for picture ${picture + 1}`)
    // Of a video one frame: its latents are a picture's.
    const numFrames = video === undefined ? undefined : 1
    const request = {
      conditioning,
      numFrames,
      seed: BigInt(picture),
      rng: 'torch-cpu',
      width,
      height,
      steps,
    } as const
    const [medium] = await pipeline.generate([{ ...request, guidanceScale, scheduler: { config: {} } }])
    if (!medium) throw new Error(`the pipeline gave no picture ${picture + 1}`)
    const { frames, latents } = medium
    const dims = video === undefined ? latents.dims : latents.dims.filter((_, axis) => axis !== 2)
    const sample = { ...frames[0], latents: latents.data, dims }
    await whenDrawn(sample)
    yield sample
  }
}

/** The family's published factors, where they are for as many channels as the model has. */
function matchingFactors(folder: ModelFolder, facts: ModelFacts): LatentRgbFactors | null {
  const published = familyOf(facts.family).previewFactors(folder.vae.scalingFactor, facts.latentChannels)
  return published?.factors.length === facts.latentChannels ? published : null
}
