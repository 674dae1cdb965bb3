/** A toy's stages, text to pixels. */
import { stackConditioning } from '../../../src/pipelines/conditioning.ts'
import { denoise } from '../../../src/pipelines/denoise-loop.ts'
import { createDenoiser } from '../../../src/pipelines/denoiser.ts'
import { finishPictures } from '../../../src/pipelines/finish.ts'
import { latentDims, startLatents } from '../../../src/pipelines/latents.ts'
import { encoderOf, type FamilyStages } from '../../../src/pipelines/models.ts'
import { encodePair } from '../../../src/pipelines/prompt-pair.ts'
import { prepareSchedule } from '../../../src/pipelines/schedule.ts'
import { createStepClock } from '../../../src/pipelines/step-clock.ts'

export const encodePrompt: FamilyStages['encodePrompt'] = async (text, request) => {
  const encoder = encoderOf(text, 'text_encoder')
  const { positive, warnings } = await encodePair(
    [{ encoder, prompt: request.prompt, negativePrompt: null }],
    request,
    { layer: 'last', pooled: null },
  )
  return {
    promptEmbeds: positive[0]!.hidden,
    pooledPromptEmbeds: null,
    negativePromptEmbeds: null,
    negativePooledPromptEmbeds: null,
    half: encoder.half,
    warnings,
  }
}

export const generate: FamilyStages['generate'] = async (models, requests, hooks) => {
  const clock = createStepClock()

  // 1. The schedule
  const dims = latentDims(models, requests)
  const { scheduler, firstCall } = prepareSchedule(models.folder, requests[0]!)

  // 2. The latents to start from
  const { latents, noise } = await startLatents(models, requests, dims, { scheduler, firstCall })
  const prepareMs = clock.elapsed()

  // 3. The denoiser
  const predict = createDenoiser({
    session: models.denoiser,
    sample: { name: 'sample', dims },
    output: 'out_sample',
    constants: { encoder_hidden_states: stackConditioning(requests, false).embeds },
    guidanceScale: null,
  })

  // 4. The loop
  const durations = await denoise({ scheduler, firstCall, latents, dims, predict, noise, hooks, clock })

  // 5. Pixels
  return finishPictures(models, latents, dims, { prepareMs, durations, clock })
}
