/** FLUX.2 klein, distilled and base, with and without reference pictures. After diffusers' Flux2KleinPipeline. */

import { outLayers } from '../../model/hidden-layers.ts'
import { requirePlainSyntax } from '../../pipelines/conditioning.ts'
import { denoisePacked } from '../../pipelines/denoise-packed.ts'
import { fedThousandth } from '../../pipelines/fed-timestep.ts'
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
import { encodeMasked } from '../../pipelines/text-conditioning.ts'
import { createTokenDenoiser } from '../../pipelines/token-denoiser.ts'
import { joinChannels, stack } from '../../tensor/join.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { FLUX2_TEMPLATE, FLUX2_TOKENS, flux2Template } from './facts.ts'
import { imagePositions, textPositions } from './positions.ts'
import { encodeReferences } from './references.ts'

/** A model that was distilled into few steps takes no guidance, whatever is asked for. */
function isDistilled({ folder }: TextModels | ImageModels): boolean {
  return folder.modelIndex.is_distilled === true
}

/** Hidden states of three layers side by side; the negative prompt is always an empty one. */
export async function encodePrompt(text: TextModels, request: PromptRequest): Promise<PromptConditioning> {
  requirePlainSyntax(request, 'FLUX.2')
  const { warn, all } = createWarnings()
  const encoder = encoderOf(text, 'text_encoder')
  const length = request.maxSequenceLength ?? FLUX2_TOKENS
  const outputs = encoder.session.outputs.map(({ name }) => name)
  const names = outLayers(text.folder.modelIndex, outputs).map((layer) => `hidden_states.${layer}`)
  const encode = async (prompt: string): Promise<Tensor> => {
    const template = { length, names, tail: FLUX2_TEMPLATE[1].trim() }
    const { states } = await encodeMasked(encoder, flux2Template(prompt), template, warn)
    return names.map((name) => states[name]!).reduce(joinChannels)
  }
  return {
    promptEmbeds: await encode(request.prompt),
    pooledPromptEmbeds: null,
    negativePromptEmbeds: request.withNegative && !isDistilled(text) ? await encode('') : null,
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
  const { guidanceScale } = request

  // 1. The schedule
  const dims = latentDims(models, requests)
  const [batch, channels, height, width] = dims
  const grid = { rows: height / 2, columns: width / 2 }
  const { scheduler, firstCall } = prepareSchedule(models.folder, request)

  // 2. The latents to start from, drawn as patches: [4 · channels, rows, columns]
  const patched = [batch, 4 * channels, grid.rows, grid.columns] as const
  const start = await startLatents(models, requests, patched, { scheduler, firstCall })
  const latents = tokensOfPatches(start.latents, patched)
  const references = await encodeReferences(models, requests)
  const prepareMs = clock.elapsed()

  // 3. The denoiser
  const texts = requests.map(({ conditioning }) => conditioning)
  const half = texts.every((conditioning) => conditioning.half)
  const isGuided = guidanceScale > 1 && !isDistilled(models)
  const embeds = stack(texts.map(({ promptEmbeds }) => promptEmbeds))
  const predict = createTokenDenoiser({
    session: models.denoiser,
    dims: [batch, grid.rows * grid.columns, 4 * channels],
    appended: references?.tokens ?? null,
    positive: { encoder_hidden_states: embeds },
    negative: isGuided ? { encoder_hidden_states: negativesOf(requests) } : null,
    shared: {
      txt_ids: textPositions(batch, embeds.dims[1]!),
      img_ids: imagePositions(batch, [grid, ...(references?.grids ?? [])]),
    },
    guidanceScale,
    feedTimestep: (timestep) => fedThousandth(timestep, half),
  })

  // 4. The loop; 5. Pixels. Within a token: channel, then row, then column of the patch, as FLUX.1 packs it.
  const { noise } = start
  return denoisePacked(models, {
    ...{ scheduler, firstCall, latents, dims, predict, noise, half, hooks, clock, prepareMs },
  })
}

/** @throws RangeError when the negative side was not encoded */
function negativesOf(requests: readonly GenerateRequest[]): Tensor {
  const negatives = requests.flatMap(({ conditioning }) => conditioning.negativePromptEmbeds ?? [])
  if (negatives.length < requests.length) throw new RangeError('a text of this batch was not encoded')
  return stack(negatives)
}

/** [B, C, rows, columns] → [B, rows · columns, C], a new array. */
export function tokensOfPatches(
  patches: Float32Array,
  [batch, channels, rows, columns]: readonly [number, number, number, number],
): Float32Array {
  const plane = rows * columns
  const tokens = new Float32Array(patches.length)
  for (let index = 0; index < batch; index++) {
    const from = index * channels * plane
    for (let channel = 0; channel < channels; channel++) {
      for (let place = 0; place < plane; place++) {
        tokens[from + place * channels + channel] = patches[from + channel * plane + place]!
      }
    }
  }
  return tokens
}
