/**
 * Stable Diffusion 3 and 3.5, with and without T5. After diffusers' StableDiffusion3Pipeline and
 * StableDiffusion3Img2ImgPipeline.
 */
import { joinChannels, joinTokens, padChannels } from '../tensor/join.ts'
import { type Tensor, zeros } from '../tensor/tensor.ts'
import { requirePlainSyntax, stackConditioning } from './conditioning.ts'
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
import { createWarnings } from './prompt-pair.ts'
import { flowShift, prepareSchedule } from './schedule.ts'
import { createStepClock } from './step-clock.ts'
import { encodeClip, encodeT5, type Warn } from './text-conditioning.ts'

/** diffusers' default length of T5's input. */
const T5_LENGTH = 256

export async function encodePromptSd3(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'Stable Diffusion 3')
  const { warn, all } = createWarnings()
  const { prompt, prompt2, negativePrompt = '', negativePrompt2 } = request
  const length = request.maxSequenceLength ?? T5_LENGTH

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
    half: text.first!.half && text.second!.half && (text.third?.half ?? true),
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
  const options = { layer: 'penultimate', pooled: 'text_embeds' } as const
  // Both encoders take the first tokenizer's length, as diffusers has it.
  const clipLength = text.first!.tokenizer.modelMaxLength
  const one = await encodeClip(text.first!, first, options, warn, clipLength)
  const two = await encodeClip(text.second!, second, options, warn, clipLength)
  const clip = joinChannels(one.hidden, two.hidden)
  const t5 =
    text.third === null
      ? zeros([1, length, jointAttentionDim(text)])
      : await encodeT5(text.third, third, length, warn)
  return {
    embeds: joinTokens(padChannels(clip, t5.dims[2]!), t5),
    pooled: joinChannels(one.pooled!, two.pooled!),
  }
}

function jointAttentionDim({ folder }: TextModels): number {
  const dim = folder.components.transformer?.config.joint_attention_dim
  return typeof dim === 'number' ? dim : 4096
}

export async function generateSd3(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  hooks: GenerateHooks,
): Promise<GeneratedImage[]> {
  const clock = createStepClock()
  const [request] = requests as readonly [GenerateRequest]
  const config = models.folder.components.transformer!.config
  const patch = typeof config.patch_size === 'number' ? config.patch_size : 2
  const guidanceScale = request.guidanceScale > 1 ? request.guidanceScale : null

  // 1. The schedule; some models shift it with the picture's size
  const dims = latentDims(models, requests)
  const tokens = Math.floor(dims[2] / patch) * Math.floor(dims[3] / patch)
  const { scheduler, firstCall } = prepareSchedule(models.folder, request, {
    slicing: 'floor-start',
    options: (resolved) =>
      resolved.use_dynamic_shifting === true ? { mu: flowShift(resolved, tokens, 1.16) } : {},
  })

  // 2. The latents to start from
  const { latents, noise } = await startLatents(models, requests, dims, scheduler, firstCall)
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
