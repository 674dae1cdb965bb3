/** Qwen-Image. After diffusers' QwenImagePipeline and QwenImageImg2ImgPipeline. */

import { encodeChat } from '../../pipelines/chat-conditioning.ts'
import { requirePlainSyntax } from '../../pipelines/conditioning.ts'
import { denoisePacked } from '../../pipelines/denoise-packed.ts'
import { createDenoiser, type Predict } from '../../pipelines/denoiser.ts'
import { fedThousandth } from '../../pipelines/fed-timestep.ts'
import { inHalf, latentDims, startLatents } from '../../pipelines/latents.ts'
import { maskedTexts } from '../../pipelines/masked-texts.ts'
import { encoderOf, type ImageModels, type TextModels } from '../../pipelines/models.ts'
import { packLatents } from '../../pipelines/packing.ts'
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
import { predictTwice } from '../../pipelines/two-calls.ts'
import { createTensor } from '../../tensor/tensor.ts'
import { trueCfgScale } from '../guidance.ts'
import { DROPPED_TOKENS, QWENIMAGE_TEMPLATE, QWENIMAGE_TOKENS, qwenimage } from './facts.ts'
import { qwenImageGuidance } from './guide.ts'

export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'Qwen-Image')
  const { warn, all } = createWarnings()
  const encoder = encoderOf(text, 'text_encoder')
  const encode = (prompt: string) =>
    encodeChat(
      encoder,
      {
        prompt,
        template: QWENIMAGE_TEMPLATE,
        // diffusers encodes up to 1024 and then cuts; what comes later does not change a causal model's states.
        maxTokens: DROPPED_TOKENS + (request.maxSequenceLength ?? QWENIMAGE_TOKENS),
        output: 'last_hidden_state',
        dropped: DROPPED_TOKENS,
      },
      warn,
    )
  const { prompt, negativePrompt, withNegative } = request
  return {
    promptEmbeds: await encode(prompt),
    pooledPromptEmbeds: null,
    negativePromptEmbeds: withNegative ? await encode(negativePrompt ?? '') : null,
    negativePooledPromptEmbeds: null,
    half: encoder.half,
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
  const scale = trueCfgScale(qwenimage, request)
  const isGuided = scale > 1 && request.conditioning.negativePromptEmbeds !== null

  // 1. The schedule, shifted with the picture's size
  const dims = latentDims(models, requests)
  const [batch, channels, height, width] = dims
  const [rows, columns] = [height / 2, width / 2]
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from, packed 2 × 2
  const start = await startLatents(models, requests, dims, { scheduler, firstCall })
  const latents = packLatents(start.latents, dims)
  const prepareMs = clock.elapsed()

  // 3. The denoiser
  const half = inHalf(requests)
  const side = (name: 'promptEmbeds' | 'negativePromptEmbeds'): Predict => {
    const texts = maskedTexts(requests, name, models.denoiser)
    return createDenoiser({
      session: models.denoiser,
      sample: { name: 'hidden_states', dims: [batch, rows * columns, 4 * channels] },
      output: 'out_hidden_states',
      constants: {
        encoder_hidden_states: texts.embeds,
        encoder_hidden_states_mask: texts.mask,
        height: createTensor(Float32Array.of(rows), []),
        width: createTensor(Float32Array.of(columns), []),
      },
      guidanceScale: null,
      feedTimestep: (timestep) => fedThousandth(timestep, half),
    })
  }
  // diffusers' steps give what the model gave: halves only where both compute in halves.
  const halfSteps = half && models.denoiser.outputs.every(({ type }) => type === 'float16')
  const predict = isGuided
    ? predictTwice({
        positive: side('promptEmbeds'),
        negative: side('negativePromptEmbeds'),
        combine: qwenImageGuidance(scale, 4 * channels, halfSteps),
      })
    : side('promptEmbeds')

  // 4. The loop; 5. Pixels
  const { noise } = start
  return denoisePacked(models, {
    ...{ scheduler, firstCall, latents, dims, predict, noise, half: halfSteps, hooks, clock, prepareMs },
  })
}
