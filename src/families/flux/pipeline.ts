/**
 * FLUX.1 dev and schnell: latents packed into tokens, guidance as an input of the model (dev), a schedule shifted with
 * the picture's size (dev). After diffusers' FluxPipeline and FluxImg2ImgPipeline.
 */

import { requirePlainSyntax, stackConditioning } from '../../pipelines/conditioning.ts'
import { denoise } from '../../pipelines/denoise-loop.ts'
import { createDenoiser } from '../../pipelines/denoiser.ts'
import { finishPictures } from '../../pipelines/finish.ts'
import { latentDims, startLatents } from '../../pipelines/latents.ts'
import { encoderOf, type ImageModels, type TextModels } from '../../pipelines/models.ts'
import { packLatents, unpackLatents } from '../../pipelines/packing.ts'
import type {
  GeneratedMedium,
  GenerateHooks,
  GenerateRequest,
  PromptConditioning,
  PromptRequest,
} from '../../pipelines/pipeline.ts'
import { createWarnings } from '../../pipelines/prompt-pair.ts'
import { prepareSchedule } from '../../pipelines/schedule.ts'
import { createStepClock } from '../../pipelines/step-clock.ts'
import { encodeClip, encodeT5 } from '../../pipelines/text-conditioning.ts'
import { halfOf } from '../../tensor/float16.ts'
import { createTensor, type Tensor, zeros } from '../../tensor/tensor.ts'
import { T5_LENGTH } from './facts.ts'

/** CLIP gives the pooled vector, T5 the tokens. A negative prompt has no effect. */
export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'FLUX')
  const { warn, all } = createWarnings()
  const { prompt, prompt2 } = request
  const clip = encoderOf(text, 'text_encoder')
  const t5 = encoderOf(text, 'text_encoder_2')
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

export async function generate(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedMedium[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]

  // 1. The schedule
  const dims = latentDims(models, requests)
  const [batch, channels, height, width] = dims
  const tokens = (height / 2) * (width / 2)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from, packed 2 × 2
  const start = await startLatents(models, requests, dims, { scheduler, firstCall })
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
