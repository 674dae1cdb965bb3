/**
 * Latent consistency models: guidance goes in as an embedding, a few steps do. After diffusers'
 * LatentConsistencyModelPipeline and LatentConsistencyModelImg2ImgPipeline.
 */
import { createTensor, type Tensor } from '../tensor/tensor.ts'
import { stackConditioning } from './conditioning.ts'
import { denoise } from './denoise-loop.ts'
import { createDenoiser } from './denoiser.ts'
import { finishPictures } from './finish.ts'
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

/**
 * The sinusoidal embedding of w = guidance − 1 that `timestep_cond` takes: [sin, cos] of 1000·w over frequencies
 * 10000^(−i/(n/2 − 1)) (diffusers' get_guidance_scale_embedding), in float32 arithmetic as torch has it.
 * @returns [rows, n] of equal rows
 */
export function guidanceEmbedding(
  { denoiser, folder }: ImageModels,
  guidanceScale: number,
  rows: number,
): Tensor {
  const configured = folder.components.unet?.config.time_cond_proj_dim
  const declared = denoiser.input('timestep_cond')?.dims[1]
  const size = typeof declared === 'number' ? declared : typeof configured === 'number' ? configured : 256
  const half = Math.floor(size / 2)
  const { fround } = Math
  const w = fround(fround(guidanceScale - 1) * 1000)
  const decay = fround(fround(Math.log(10_000)) / (half - 1))
  const row = new Float32Array(size)
  for (let i = 0; i < half; i++) {
    const angle = fround(w * fround(Math.exp(fround(-i * decay))))
    row[i] = Math.sin(angle)
    row[half + i] = Math.cos(angle)
  }
  const data = new Float32Array(rows * size)
  for (let index = 0; index < rows; index++) data.set(row, index * size)
  return createTensor(data, [rows, size])
}
