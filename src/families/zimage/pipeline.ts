/** Z-Image, Turbo and base. After diffusers' ZImagePipeline and ZImageImg2ImgPipeline. */

import { encodeChat } from '../../pipelines/chat-conditioning.ts'
import { requirePlainSyntax } from '../../pipelines/conditioning.ts'
import { denoise } from '../../pipelines/denoise-loop.ts'
import { createDenoiser, type Predict } from '../../pipelines/denoiser.ts'
import { finishPictures } from '../../pipelines/finish.ts'
import { inHalf, latentDims, startLatents } from '../../pipelines/latents.ts'
import { maskedTexts } from '../../pipelines/masked-texts.ts'
import { encoderOf, type ImageModels, type TextModels } from '../../pipelines/models.ts'
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
import { ZIMAGE_TEMPLATE, ZIMAGE_TOKENS } from './facts.ts'
import { zimageGuidance } from './guide.ts'

export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'Z-Image')
  const { warn, all } = createWarnings()
  const encoder = encoderOf(text, 'text_encoder')
  const encode = (prompt: string) =>
    encodeChat(
      encoder,
      {
        prompt,
        template: ZIMAGE_TEMPLATE,
        maxTokens: request.maxSequenceLength ?? ZIMAGE_TOKENS,
        // What goes into the last layer, without the final norm.
        output: `hidden_states.${encoder.hiddenLayers - 1}`,
      },
      warn,
    )
  return {
    promptEmbeds: await encode(request.prompt),
    pooledPromptEmbeds: null,
    negativePromptEmbeds: request.withNegative ? await encode(request.negativePrompt ?? '') : null,
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
  const { guidanceScale, cfgNormalization = 0, cfgTruncation = 1 } = request

  // 1. The schedule
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from: float32, but for a picture's, which have the texts' type
  const half = request.initImage !== undefined && inHalf(requests)
  const { latents, noise } = await startLatents(models, requests, dims, { scheduler, firstCall, half })
  const prepareMs = clock.elapsed()

  // 3. The denoiser, which gives the negative of the velocity
  const side = (name: 'promptEmbeds' | 'negativePromptEmbeds'): Predict => {
    const texts = maskedTexts(requests, name, models.denoiser)
    return createDenoiser({
      session: models.denoiser,
      sample: { name: 'hidden_states', dims },
      output: 'out_hidden_states',
      constants: { encoder_hidden_states: texts.embeds, encoder_attention_mask: texts.mask },
      guidanceScale: null,
      feedTimestep: zimageTimestep,
    })
  }
  const predict =
    guidanceScale > 0
      ? predictTwice({
          positive: side('promptEmbeds'),
          negative: side('negativePromptEmbeds'),
          combine: zimageGuidance(guidanceScale, cfgNormalization, dims[0]),
          isGuided: (timestep) => zimageTimestep(timestep) <= cfgTruncation,
        })
      : side('promptEmbeds')

  // 4. The loop
  const durations = await denoise({
    scheduler,
    firstCall,
    latents,
    dims,
    predict: async (sample, timestep) => negated(await predict(sample, timestep)),
    noise,
    hooks,
    clock,
  })

  // 5. Pixels
  return finishPictures(models, latents, dims, { prepareMs, durations, clock })
}

/** What the model is fed: 0 is pure noise, 1 a picture. In float32. */
export function zimageTimestep(timestep: number): number {
  return Math.fround(Math.fround(1000 - timestep) / 1000)
}

function negated(values: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = -values[i]!
  return values
}
