/**
 * Stable Diffusion XL, its Turbo and its refiner (image-to-image, second encoder only). After diffusers'
 * StableDiffusionXLPipeline, StableDiffusionXLImg2ImgPipeline and StableDiffusionXLInpaintPipeline.
 */

import { stackConditioning } from '../../pipelines/conditioning.ts'
import { denoise } from '../../pipelines/denoise-loop.ts'
import { createDenoiser } from '../../pipelines/denoiser.ts'
import { finishPictures } from '../../pipelines/finish.ts'
import { guidanceEmbedding } from '../../pipelines/guidance-embedding.ts'
import { startUNet } from '../../pipelines/inpainting.ts'
import { latentDims } from '../../pipelines/latents.ts'
import { encoderOf, type ImageModels, type TextModels } from '../../pipelines/models.ts'
import type {
  GeneratedMedium,
  GenerateHooks,
  GenerateRequest,
  PromptConditioning,
  PromptRequest,
} from '../../pipelines/pipeline.ts'
import { encodePair } from '../../pipelines/prompt-pair.ts'
import { prepareSchedule } from '../../pipelines/schedule.ts'
import { createStepClock } from '../../pipelines/step-clock.ts'
import type { ClipStates } from '../../pipelines/text-conditioning.ts'
import { joinChannels } from '../../tensor/join.ts'
import { createTensor, type Tensor, zeros } from '../../tensor/tensor.ts'

export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  const { folder, encoders: loaded } = text
  // No negative prompt is not an empty one: most SDXL folders then take zeros.
  const zeroNegative =
    request.negativePrompt === undefined && folder.modelIndex.force_zeros_for_empty_prompt !== false
  const negativePrompt = request.negativePrompt ?? ''
  const encoders = [loaded.text_encoder, loaded.text_encoder_2].filter((encoder) => encoder !== undefined)
  // An empty second text counts as none, as in diffusers; the refiner's only encoder reads the first text.
  const prompts = [request.prompt, request.prompt2 || request.prompt]
  const negativePrompts = [negativePrompt, request.negativePrompt2 || negativePrompt]

  const { positive, negative, warnings } = await encodePair(
    encoders.map((encoder, index) => ({
      encoder,
      prompt: prompts[index]!,
      negativePrompt: zeroNegative ? null : negativePrompts[index]!,
    })),
    request,
    { layer: 'penultimate', pooled: 'text_embeds' },
  )
  const promptEmbeds = joinHidden(positive)
  const pooledPromptEmbeds = positive.at(-1)!.pooled!
  const zeroed = request.withNegative && zeroNegative
  return {
    promptEmbeds,
    pooledPromptEmbeds,
    negativePromptEmbeds: zeroed ? zeros(promptEmbeds.dims) : negative && joinHidden(negative),
    negativePooledPromptEmbeds: zeroed ? zeros(pooledPromptEmbeds.dims) : (negative?.at(-1)?.pooled ?? null),
    half: encoderOf(text, 'text_encoder_2').half,
    warnings,
  }
}

function joinHidden(states: readonly ClipStates[]): Tensor {
  return states.map(({ hidden }) => hidden).reduce((joined, hidden) => joinChannels(joined, hidden))
}

export async function generate(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedMedium[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]
  const embedded = models.denoiser.input('timestep_cond') !== null
  const guidanceScale = request.guidanceScale > 1 && !embedded ? request.guidanceScale : null

  // 1. The schedule
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from
  const start = await startUNet(models, requests, dims, { scheduler, firstCall })
  const { latents, noise, appended, afterCall } = start
  const prepareMs = clock.elapsed()

  // 3. The denoiser, with texts and sizes stacked [negatives, positives]
  const texts = stackConditioning(requests, guidanceScale !== null)
  const predict = createDenoiser({
    session: models.denoiser,
    sample: { name: 'sample', dims },
    appended,
    output: 'out_sample',
    constants: {
      encoder_hidden_states: texts.embeds,
      text_embeds: texts.pooled!,
      time_ids: timeIds(models, request, dims[0], guidanceScale !== null),
      ...(embedded ? { timestep_cond: guidanceEmbedding(models, request.guidanceScale, dims[0]) } : {}),
    },
    guidanceScale,
  })

  // 4. The loop
  const durations = await denoise({
    ...{ scheduler, firstCall, latents, dims, predict, noise, afterCall, hooks, clock },
  })

  // 5. Pixels
  return finishPictures(models, latents, dims, { prepareMs, durations, clock })
}

/**
 * SDXL's size conditioning: original height and width, crop corner (0, 0), target height and width; the refiner has
 * an aesthetic score (6, and 2.5 for the negative side) in place of the target.
 * @returns [rows, 6], or [rows, 5] for the refiner
 */
function timeIds(
  { folder }: ImageModels,
  { width, height }: GenerateRequest,
  batch: number,
  guided: boolean,
): Tensor {
  const refiner = folder.modelIndex.requires_aesthetics_score === true
  const row = (score: number): number[] => [height, width, 0, 0, ...(refiner ? [score] : [height, width])]
  const repeat = (values: number[]): number[] => Array.from({ length: batch }, () => values).flat()
  const values = [...(guided ? repeat(row(2.5)) : []), ...repeat(row(6))]
  const columns = row(0).length
  return createTensor(Float32Array.from(values), [values.length / columns, columns])
}
