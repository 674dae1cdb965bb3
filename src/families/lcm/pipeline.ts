/**
 * Latent consistency models: guidance goes in as an embedding, a few steps do. After diffusers'
 * LatentConsistencyModelPipeline and LatentConsistencyModelImg2ImgPipeline.
 */
import { stackConditioning } from '../../pipelines/conditioning.ts'
import { denoise } from '../../pipelines/denoise-loop.ts'
import { createDenoiser } from '../../pipelines/denoiser.ts'
import { finishPictures } from '../../pipelines/finish.ts'
import { guidanceEmbedding } from '../../pipelines/guidance-embedding.ts'
import { latentDims, startLatents } from '../../pipelines/latents.ts'
import type { ImageModels, TextModels } from '../../pipelines/models.ts'
import type {
  GeneratedMedium,
  GenerateHooks,
  GenerateRequest,
  PromptConditioning,
  PromptRequest,
} from '../../pipelines/pipeline.ts'
import { prepareSchedule } from '../../pipelines/schedule.ts'
import { createStepClock } from '../../pipelines/step-clock.ts'
import { encodePrompt as encodeBothSides } from '../sd/pipeline.ts'

/** The positive side of Stable Diffusion's prompts: guidance is distilled, a negative prompt has no effect. */
export function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  return encodeBothSides(text, { ...request, withNegative: false })
}

export async function generate(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedMedium[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]

  // 1. The schedule; image-to-image's strength shortens it inside the scheduler
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from
  const { latents, noise } = await startLatents(models, requests, dims, { scheduler, firstCall })
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
  const durations = await denoise({ scheduler, firstCall, latents, dims, predict, noise, hooks, clock })

  // 5. Pixels
  return finishPictures(models, latents, dims, { prepareMs, durations, clock })
}
