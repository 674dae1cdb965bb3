/**
 * Stable Diffusion 3 and 3.5, with and without T5. After diffusers' StableDiffusion3Pipeline and
 * StableDiffusion3Img2ImgPipeline.
 */

import { requirePlainSyntax, stackConditioning } from '../../pipelines/conditioning.ts'
import { denoise } from '../../pipelines/denoise-loop.ts'
import { createDenoiser } from '../../pipelines/denoiser.ts'
import { finishPictures } from '../../pipelines/finish.ts'
import { latentDims, startLatents } from '../../pipelines/latents.ts'
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
import { encodeClipText, encodeT5, type Warn } from '../../pipelines/text-conditioning.ts'
import { joinChannels, joinTokens, padChannels } from '../../tensor/join.ts'
import { type Tensor, zeros } from '../../tensor/tensor.ts'
import { SD3_TOKENS } from './facts.ts'

export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'Stable Diffusion 3')
  const { warn, all } = createWarnings()
  const { prompt, prompt2, negativePrompt = '', negativePrompt2 } = request
  const length = request.maxSequenceLength ?? SD3_TOKENS

  const positive = await encodeSide(text, [prompt, prompt2 || prompt, prompt], length, warn)
  const negative = request.withNegative
    ? await encodeSide(
        text,
        [negativePrompt, negativePrompt2 || negativePrompt, negativePrompt],
        length,
        warn,
      )
    : null
  return {
    promptEmbeds: positive.embeds,
    pooledPromptEmbeds: positive.pooled,
    negativePromptEmbeds: negative?.embeds ?? null,
    negativePooledPromptEmbeds: negative?.pooled ?? null,
    half: Object.values(text.encoders).every((encoder) => encoder.half),
    warnings: all(),
  }
}

/** Both CLIPs side by side, padded with zeros to T5's width, then T5 after them; pooled vectors side by side. */
async function encodeSide(
  text: TextModels,
  [first, second, third]: readonly [string, string, string],
  length: number,
  warn: Warn,
): Promise<{ embeds: Tensor; pooled: Tensor }> {
  const clipOne = encoderOf(text, 'text_encoder')
  // Both encoders take the first tokenizer's length, as diffusers has it.
  const maxLength = clipOne.tokenizer.modelMaxLength
  const options = { layer: 'penultimate', pooled: 'text_embeds', maxLength } as const
  const one = await encodeClipText(clipOne, first, options, warn)
  const two = await encodeClipText(encoderOf(text, 'text_encoder_2'), second, options, warn)
  const clip = joinChannels(one.hidden, two.hidden)
  const t5Encoder = text.encoders.text_encoder_3
  const t5 =
    t5Encoder === undefined
      ? zeros([1, length, jointAttentionDim(text)])
      : await encodeT5(t5Encoder, third, length, warn)
  return {
    embeds: joinTokens(padChannels(clip, t5.dims[2]!), t5),
    pooled: joinChannels(one.pooled!, two.pooled!),
  }
}

function jointAttentionDim({ folder }: TextModels): number {
  const dim = folder.components.transformer?.config.joint_attention_dim
  return typeof dim === 'number' ? dim : 4096
}

export async function generate(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedMedium[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]
  const guidanceScale = request.guidanceScale > 1 ? request.guidanceScale : null

  // 1. The schedule; some models shift it with the picture's size
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from
  const { latents, noise } = await startLatents(models, requests, dims, { scheduler, firstCall })
  const prepareMs = clock.elapsed()

  // 3. The denoiser, with the texts stacked [negatives, positives]
  const texts = stackConditioning(requests, guidanceScale !== null)
  const predict = createDenoiser({
    session: models.denoiser,
    sample: { name: 'hidden_states', dims },
    output: 'out_hidden_states',
    constants: { encoder_hidden_states: texts.embeds, pooled_projections: texts.pooled! },
    guidanceScale,
  })

  // 4. The loop
  const durations = await denoise({ scheduler, firstCall, latents, dims, predict, noise, hooks, clock })

  // 5. Pixels
  return finishPictures(models, latents, dims, { prepareMs, durations, clock })
}
