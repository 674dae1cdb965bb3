/**
 * FLUX.1 dev and schnell: latents packed into tokens, guidance as an input of the model (dev), a schedule shifted with
 * the picture's size (dev). After diffusers' FluxPipeline and FluxImg2ImgPipeline.
 */
import { halfOf } from '../tensor/float16.ts'
import { createTensor, type Tensor, zeros } from '../tensor/tensor.ts'
import { requirePlainSyntax, stackConditioning } from './conditioning.ts'
import { denoise } from './denoise-loop.ts'
import { createDenoiser } from './denoiser.ts'
import { finishPictures } from './finish.ts'
import { packLatents, unpackLatents } from './flux-packing.ts'
import { latentDims, startLatents } from './latents.ts'
import type { ImageModels, TextModels } from './models.ts'
import type {
  GeneratedImage,
  GenerateHooks,
  GenerateRequest,
  PromptConditioning,
  PromptRequest,
} from './pipeline.ts'
import { createWarnings } from './prompt-pair.ts'
import { flowShift, prepareSchedule } from './schedule.ts'
import { createStepClock } from './step-clock.ts'
import { encodeClip, encodeT5 } from './text-conditioning.ts'

/** diffusers' default length of T5's input. */
const T5_LENGTH = 512

/** CLIP gives the pooled vector, T5 the tokens. A negative prompt has no effect. */
export async function encodePromptFlux(
  text: TextModels,
  request: PromptRequest,
): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'FLUX')
  const { warn, all } = createWarnings()
  const { prompt, prompt2 } = request
  const clip = text.first!
  const t5 = text.second!
  const length = request.maxSequenceLength ?? T5_LENGTH
  const { pooled } = await encodeClip(clip, prompt, { layer: 'last', pooled: 'pooler_output' }, warn)
  return {
    promptEmbeds: await encodeT5(t5, prompt2 || prompt, length, warn),
    pooledPromptEmbeds: pooled,
    negativePromptEmbeds: null,
    negativePooledPromptEmbeds: null,
    half: t5.half,
    warnings: all(),
  }
}

export async function generateFlux(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedImage[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]

  // 1. The schedule: sigmas 1 … 1/n, shifted by the number of image tokens where the config says so
  const dims = latentDims(models, requests)
  const [batch, channels, height, width] = dims
  const tokens = (height / 2) * (width / 2)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request, {
    slicing: 'floor-start',
    options: (config) => ({
      mu: flowShift(config, tokens, 1.15),
      ...(config.use_flow_sigmas === true ? {} : { sigmas: descendingSigmas(request.steps) }),
    }),
  })

  // 2. The latents to start from, packed 2 × 2
  const start = await startLatents(models, requests, dims, scheduler, firstCall)
  const latents = packLatents(start.latents, dims)
  const prepareMs = clock.elapsed()

  // 3. The denoiser
  const texts = stackConditioning(requests, false)
  const half = requests.every(({ conditioning }) => conditioning.half)
  const predict = createDenoiser({
    session: models.denoiser,
    sample: { name: 'hidden_states', dims: [batch, tokens, 4 * channels] },
    output: 'out_hidden_states',
    constants: {
      encoder_hidden_states: texts.embeds,
      pooled_projections: texts.pooled!,
      txt_ids: zeros([texts.embeds.dims[1]!, 3]),
      img_ids: imageIds(height / 2, width / 2),
      ...(models.denoiser.input('guidance') === null
        ? {}
        : { guidance: filled(batch, request.guidanceScale) }),
    },
    guidanceScale: null,
    feedTimestep: (timestep) => fluxTimestep(timestep, half),
  })

  // 4. The loop
  const unpack = (packed: Float32Array, out: Float32Array) => unpackLatents(packed, dims, out)
  const { noise } = start
  const durations = await denoise({
    scheduler,
    firstCall,
    latents,
    dims,
    predict,
    noise,
    unpack,
    hooks,
    clock,
  })

  // 5. Pixels
  const unpacked = unpackLatents(latents, dims, new Float32Array(latents.length))
  return finishPictures(models, unpacked, dims, { prepareMs, durations, clock })
}

/**
 * What the model is fed: t / 1000. diffusers first rounds t to the latents' precision, which in halves moves it by up to
 * a quarter of a training timestep.
 */
export function fluxTimestep(timestep: number, half: boolean): number {
  return half ? halfOf(halfOf(timestep) / 1000) : timestep / 1000
}

/** n values from 1 down to 1/n, as numpy.linspace spaces them. */
function descendingSigmas(steps: number): number[] {
  const last = 1 / steps
  const spacing = steps > 1 ? (last - 1) / (steps - 1) : 0
  return Array.from({ length: steps }, (_, index) =>
    index > 0 && index === steps - 1 ? last : index * spacing + 1,
  )
}

/** Each image token's place: (0, row, column). @returns [rows · columns, 3] */
function imageIds(rows: number, columns: number): Tensor {
  const data = new Float32Array(rows * columns * 3)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) data.set([0, row, column], (row * columns + column) * 3)
  }
  return createTensor(data, [rows * columns, 3])
}

function filled(size: number, value: number): Tensor {
  return createTensor(new Float32Array(size).fill(value), [size])
}
