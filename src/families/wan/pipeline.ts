/**
 * Wan 2.1 and 2.2. After diffusers' WanPipeline, WanImageToVideoPipeline and WanVideoToVideoPipeline.
 */
import { folderSchedulerConfig } from '../../model/folder.ts'
import { viewOf } from '../../model/view.ts'
import { requirePlainSyntax } from '../../pipelines/conditioning.ts'
import { denoise } from '../../pipelines/denoise-loop.ts'
import { finishClips } from '../../pipelines/finish-clips.ts'
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
import { createStepClock } from '../../pipelines/step-clock.ts'
import { runEncoder, truncationWarning } from '../../pipelines/text-conditioning.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { cleanPrompt } from '../../text/clean-prompt.ts'
import type { FamilyFacts } from '../family.ts'
import { openSchedule, type Schedule } from '../schedule.ts'
import { encodeKeyframes, encodeSource, mixFirstFrame } from './conditions.ts'
import { WAN_TOKENS, wan } from './facts.ts'
import { wanKind } from './kind.ts'
import { createWanDenoiser } from './predict.ts'

/** What the mask hides does not count, and its states are zeros. */
export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'Wan')
  const { warn, all } = createWarnings()
  const encoder = encoderOf(text, 'text_encoder')
  const length = request.maxSequenceLength ?? WAN_TOKENS
  const encode = async (prompt: string): Promise<Tensor> => {
    const { ids, untruncatedLength, truncatedText } = encoder.tokenizer.tokenize(cleanPrompt(prompt), length)
    if (truncatedText !== null) warn(truncationWarning(untruncatedLength, length, truncatedText))
    const own = Math.min(untruncatedLength, length)
    const { last_hidden_state: states } = await runEncoder(encoder, ids, ['last_hidden_state'], own)
    if (states === undefined) throw new Error('the text encoder gave no last_hidden_state')
    states.data.fill(0, own * (states.dims[2] ?? 0))
    return states
  }
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
  const kind = wanKind(viewOf(models.folder))

  // 1. The schedule
  const { framesPerLatent, defaults } = videoRules(models)
  const frames = request.numFrames ?? defaults.numFrames
  const [batch, channels, height, width] = latentDims(models, requests)
  const dims = [batch, channels, (frames - 1) / framesPerLatent + 1, height, width] as const
  const { scheduler, firstCall } = scheduleOf(models, request)

  // 2. What is given: first and last picture, or a video
  const clip = { frames, framesPerLatent, width: request.width, height: request.height }
  const stop = () => hooks.shouldStop?.() === true
  const given = await encodeKeyframes(models, kind, requests, { ...clip, dims, stop })

  // 3. The latents to start from: noise, or a video's with noise on top. One draw, in float32
  const plain = requests.map((each) => ({ ...each, initImage: undefined }))
  const start = await startLatents(models, plain, dims, { scheduler, firstCall, half: false })
  let { latents } = start
  if (request.sourceVideo !== undefined) {
    const size = latents.length / batch
    for (const [index, { sourceVideo }] of requests.entries()) {
      if (sourceVideo === undefined) continue
      const noise = latents.subarray(index * size, (index + 1) * size)
      const original = await encodeSource(models, sourceVideo, clip, stop)
      latents.set(scheduler.addNoise(original, noise, firstCall), index * size)
    }
  }
  const prepareMs = clock.elapsed()

  // 4. The denoiser, or two: one for what is mostly noise, one for the rest
  const { guidanceScale, guidanceScale2 = guidanceScale } = request
  const denoiser = createWanDenoiser({
    ...{ models, kind, dims, given, guidanceScale, guidanceScale2, requests },
    trainTimesteps: Number(scheduler.config.num_train_timesteps ?? 1000),
  })

  // 5. The loop
  const half = scheduler.name === 'flow-match-euler' && denoiser.isHalf()
  const { noise } = start
  const { predict } = denoiser
  const durations = await denoise({
    ...{ scheduler, firstCall, latents, dims, predict, noise, half, hooks, clock },
  })
  if (given?.kind === 'first frame') latents = mixFirstFrame(latents, given.latents, dims)

  // 6. Frames
  return finishClips(models, { data: latents, dims }, hooks, { prepareMs, durations, clock, frames })
}

function videoRules({ folder }: ImageModels) {
  const { video }: FamilyFacts = wan
  if (video === undefined) throw new Error('the family makes no videos')
  const view = viewOf(folder)
  return { framesPerLatent: video.framesPerLatent(view), defaults: video.defaults(view) }
}

function scheduleOf({ folder }: ImageModels, request: GenerateRequest): Schedule {
  const { scheduler, steps, sourceVideo, denoiseStrength } = request
  return openSchedule({
    family: folder.family,
    folderConfig: folderSchedulerConfig(folder),
    scheduler,
    steps,
    strength: sourceVideo === undefined ? undefined : (denoiseStrength ?? 1),
    // Nothing here depends on the size.
    imageTokens: 1,
  })
}
