/** Chroma, after diffusers' ChromaPipeline and ChromaImg2ImgPipeline. */

import { requirePlainSyntax } from '../../pipelines/conditioning.ts'
import { denoisePacked } from '../../pipelines/denoise-packed.ts'
import { fedThousandth } from '../../pipelines/fed-timestep.ts'
import { latentDims, startLatents } from '../../pipelines/latents.ts'
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
import { encodeMasked } from '../../pipelines/text-conditioning.ts'
import { createTokenDenoiser } from '../../pipelines/token-denoiser.ts'
import { stack } from '../../tensor/join.ts'
import { createTensor, type Tensor, zeros } from '../../tensor/tensor.ts'
import { CHROMA_TOKENS } from './facts.ts'

/** T5 with its padding masked. No negative prompt is an empty one. */
export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'Chroma')
  const { warn, all } = createWarnings()
  const t5 = encoderOf(text, 'text_encoder')
  const length = request.maxSequenceLength ?? CHROMA_TOKENS
  const encode = async (prompt: string): Promise<{ embeds: Tensor; tokens: number }> => {
    const { states, tokens } = await encodeMasked(t5, prompt, { length, names: ['last_hidden_state'] }, warn)
    return { embeds: states.last_hidden_state!, tokens }
  }
  const positive = await encode(request.prompt)
  const negative = request.withNegative ? await encode(request.negativePrompt ?? '') : null
  return {
    promptEmbeds: positive.embeds,
    promptTokens: positive.tokens,
    pooledPromptEmbeds: null,
    negativePromptEmbeds: negative?.embeds ?? null,
    negativePromptTokens: negative?.tokens,
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
  const [rows, columns] = [height / 2, width / 2]
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from, packed 2 × 2
  const start = await startLatents(models, requests, dims, { scheduler, firstCall })
  const latents = packLatents(start.latents, dims)
  const prepareMs = clock.elapsed()

  // 3. The denoiser
  const texts = requests.map(({ conditioning }) => conditioning)
  const half = texts.every((conditioning) => conditioning.half)
  const positive = side(
    texts.map(({ promptEmbeds, promptTokens }) => [promptEmbeds, promptTokens]),
    rows * columns,
  )
  const isGuided = request.guidanceScale > 1
  const negatives = texts.map((each) => [each.negativePromptEmbeds, each.negativePromptTokens] as const)
  // Image-to-image does not round t itself to the latents' precision.
  const roundsTimestep = half && request.initImage === undefined
  const predict = createTokenDenoiser({
    session: models.denoiser,
    dims: [batch, rows * columns, 4 * channels],
    positive,
    negative: isGuided ? side(negatives, rows * columns) : null,
    shared: {
      txt_ids: zeros([texts[0]!.promptEmbeds.dims[1]!, 3]),
      img_ids: imageIds(rows, columns),
    },
    guidanceScale: request.guidanceScale,
    feedTimestep: (timestep) => fedThousandth(timestep, roundsTimestep),
  })

  // 4. The loop; 5. Pixels
  const { noise } = start
  return denoisePacked(models, {
    ...{ scheduler, firstCall, latents, dims, predict, noise, half, hooks, clock, prepareMs },
  })
}

type EncodedText = readonly [embeds: Tensor | null, tokens: number | undefined]

/** What one call of a step is told of its texts. @throws RangeError when a text was not encoded */
function side(texts: readonly EncodedText[], imageTokens: number): Readonly<Record<string, Tensor>> {
  const embeds: Tensor[] = []
  const masks: Tensor[] = []
  for (const [each, tokens] of texts) {
    if (each === null || tokens === undefined) throw new RangeError('a text of this batch was not encoded')
    embeds.push(each)
    masks.push(attentionMask(each.dims[1]!, tokens, imageTokens))
  }
  return { encoder_hidden_states: stack(embeds), attention_mask: stack(masks) }
}

/**
 * 1 for the text's tokens, the first pad after them and the picture; 0 for the other pads. As in diffusers, the graph adds
 * it to the scores rather than hiding anything: other programs may hide, and draw something else.
 * @returns [1, length + imageTokens]
 */
export function attentionMask(length: number, tokens: number, imageTokens: number): Tensor {
  const mask = new Float32Array(length + imageTokens).fill(1, 0, tokens + 1)
  mask.fill(1, length)
  return createTensor(mask, [1, mask.length])
}
