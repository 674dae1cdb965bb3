/**
 * Stable Diffusion 1.x and 2.x. After diffusers' StableDiffusionPipeline and StableDiffusionImg2ImgPipeline. What the
 * model predicts (epsilon or v) is the scheduler's matter.
 */
import { stackConditioning } from './conditioning.ts'
import { denoise } from './denoise-loop.ts'
import { createDenoiser } from './denoiser.ts'
import { finishPictures } from './finish.ts'
import { guidanceEmbedding } from './guidance-embedding.ts'
import { latentDims, startLatents } from './latents.ts'
import type { ImageModels, TextModels } from './models.ts'
import type {
  GeneratedImage,
  GenerateHooks,
  GenerateRequest,
  PromptConditioning,
  PromptRequest,
} from './pipeline.ts'
import { encodePair } from './prompt-pair.ts'
import { prepareSchedule } from './schedule.ts'
import { createStepClock } from './step-clock.ts'

export async function encodePromptStableDiffusion(
  text: TextModels,
  request: PromptRequest,
): Promise<PromptConditioning> {
  const encoder = text.first!
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

export async function generateStableDiffusion(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedImage[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]
  // A UNet that takes its guidance as an input (LCM distilled) is evaluated once.
  const embedded = models.denoiser.input('timestep_cond') !== null
  const guidanceScale = request.guidanceScale > 1 && !embedded ? request.guidanceScale : null

  // 1. The schedule
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request, { slicing: 'floor-kept' })

  // 2. The latents to start from
  const { latents, noise } = await startLatents(models, requests, dims, scheduler, firstCall)
  const prepareMs = clock.elapsed()

  // 3. The denoiser, with the texts stacked [negatives, positives]
  const texts = stackConditioning(requests, guidanceScale !== null)
  const predict = createDenoiser({
    session: models.denoiser,
    sample: { name: 'sample', dims },
    output: 'out_sample',
    constants: {
      encoder_hidden_states: texts.embeds,
      ...(embedded ? { timestep_cond: guidanceEmbedding(models, request.guidanceScale, dims[0]) } : {}),
    },
    guidanceScale,
  })

  // 4. The loop
  const durations = await denoise({
    scheduler,
    firstCall,
    latents,
    dims,
    predict,
    noise,
    hooks,
    clock,
  })

  // 5. Pixels
  return finishPictures(models, latents, dims, { prepareMs, durations, clock })
}
