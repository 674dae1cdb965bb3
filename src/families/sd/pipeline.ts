/**
 * Stable Diffusion 1.x and 2.x. After diffusers' StableDiffusionPipeline, StableDiffusionImg2ImgPipeline and
 * StableDiffusionInpaintPipeline. What the model predicts (epsilon or v) is the scheduler's matter.
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

export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  const encoder = encoderOf(text, 'text_encoder')
  const { positive, negative, warnings } = await encodePair(
    [{ encoder, prompt: request.prompt, negativePrompt: request.negativePrompt ?? '' }],
    request,
    { layer: 'last', pooled: null },
  )
  return {
    promptEmbeds: positive[0]!.hidden,
    pooledPromptEmbeds: null,
    negativePromptEmbeds: negative?.[0]?.hidden ?? null,
    negativePooledPromptEmbeds: null,
    half: encoder.half,
    warnings,
  }
}

export async function generate(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedMedium[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]
  // A UNet that takes its guidance as an input (LCM distilled) is evaluated once.
  const embedded = models.denoiser.input('timestep_cond') !== null
  const guidanceScale = request.guidanceScale > 1 && !embedded ? request.guidanceScale : null

  // 1. The schedule
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from
  const start = await startUNet(models, requests, dims, { scheduler, firstCall })
  const { latents, noise, appended, afterCall } = start
  const prepareMs = clock.elapsed()

  // 3. The denoiser, with the texts stacked [negatives, positives]
  const texts = stackConditioning(requests, guidanceScale !== null)
  const predict = createDenoiser({
    session: models.denoiser,
    sample: { name: 'sample', dims },
    appended,
    output: 'out_sample',
    constants: {
      encoder_hidden_states: texts.embeds,
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
