/**
 * Latent consistency models: guidance goes in as an embedding, a few steps do. After diffusers'
 * LatentConsistencyModelPipeline and LatentConsistencyModelImg2ImgPipeline.
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
import { prepareSchedule } from './schedule.ts'
import { encodePromptStableDiffusion } from './stable-diffusion.ts'
import { createStepClock } from './step-clock.ts'

/** The positive side of Stable Diffusion's prompts: guidance is distilled, a negative prompt has no effect. */
export function encodePromptLcm(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  return encodePromptStableDiffusion(text, { ...request, withNegative: false })
}

export async function generateLcm(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedImage[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]

  // 1. The schedule; image-to-image's strength shortens it inside the scheduler
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request, { slicing: 'in-scheduler' })

  // 2. The latents to start from
  const { latents, noise } = await startLatents(models, requests, dims, scheduler, firstCall)
  const prepareMs = clock.elapsed()

  // 3. The denoiser, guided by an embedding of the scale
  const predict = createDenoiser({
    session: models.denoiser,
    sample: { name: 'sample', dims },
    output: 'out_sample',
    constants: {
      encoder_hidden_states: stackConditioning(requests, false).embeds,
      timestep_cond: guidanceEmbedding(models, request.guidanceScale, dims[0]),
    },
    guidanceScale: null,
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
