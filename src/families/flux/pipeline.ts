/**
 * FLUX.1 dev and schnell: latents packed into tokens, guidance as an input of the model (dev), a schedule shifted with
 * the picture's size (dev). After diffusers' FluxPipeline and FluxImg2ImgPipeline.
 */

import { applyGuidance } from '../../diffusion/guidance.ts'
import {
  requirePlainSyntax,
  type StackedConditioning,
  stackConditioning,
} from '../../pipelines/conditioning.ts'
import { denoisePacked } from '../../pipelines/denoise-packed.ts'
import { createDenoiser, type Predict } from '../../pipelines/denoiser.ts'
import { fedThousandth } from '../../pipelines/fed-timestep.ts'
import { inHalf, latentDims, startLatents } from '../../pipelines/latents.ts'
import { encoderOf, type ImageModels, type TextModels } from '../../pipelines/models.ts'
import { imageIds, packLatents } from '../../pipelines/packing.ts'
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
import { encodeClipText, encodeT5 } from '../../pipelines/text-conditioning.ts'
import { predictTwice } from '../../pipelines/two-calls.ts'
import { createTensor, type Tensor, zeros } from '../../tensor/tensor.ts'
import { trueCfgScale } from '../guidance.ts'
import { FLUX_TOKENS, flux } from './facts.ts'

/** CLIP gives the pooled vector, T5 the tokens. A negative prompt counts above a true_cfg_scale of 1. */
export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'FLUX')
  const { warn, all } = createWarnings()
  const { prompt, prompt2, negativePrompt = '', negativePrompt2 } = request
  const clip = encoderOf(text, 'text_encoder')
  const t5 = encoderOf(text, 'text_encoder_2')
  const length = request.maxSequenceLength ?? FLUX_TOKENS
  const encodeSide = async (first: string, second: string) => {
    const { pooled } = await encodeClipText(clip, first, { layer: 'last', pooled: 'pooler_output' }, warn)
    return { pooled, embeds: await encodeT5(t5, second, length, warn) }
  }
  const positive = await encodeSide(prompt, prompt2 || prompt)
  const negative = request.withNegative
    ? await encodeSide(negativePrompt, negativePrompt2 || negativePrompt)
    : null
  return {
    promptEmbeds: positive.embeds,
    pooledPromptEmbeds: positive.pooled,
    negativePromptEmbeds: negative?.embeds ?? null,
    negativePooledPromptEmbeds: negative?.pooled ?? null,
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
  const half = inHalf(requests)
  const side = (texts: StackedConditioning): Predict =>
    createDenoiser({
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
      feedTimestep: (timestep) => fedThousandth(timestep, half),
    })
  const scale = trueCfgScale(flux, request)
  const positive = side(stackConditioning(requests))
  const predict =
    scale > 1 && request.conditioning.negativePromptEmbeds !== null
      ? predictTwice({
          positive,
          negative: side(stackConditioning(requests, 'negative')),
          combine: (uncond, cond, out) => applyGuidance(uncond, cond, scale, out),
        })
      : positive

  // 4. The loop; 5. Pixels
  const { noise } = start
  return denoisePacked(models, {
    ...{ scheduler, firstCall, latents, dims, predict, noise, hooks, clock, prepareMs },
  })
}

function filled(size: number, value: number): Tensor {
  return createTensor(new Float32Array(size).fill(value), [size])
}
