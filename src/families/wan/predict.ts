/** Wan's denoiser behind one function: its inputs, guidance in two calls, and the change from one expert to the other. */

import { applyGuidance } from '../../diffusion/guidance.ts'
import type { ModelSession } from '../../model/session.ts'
import type { ModelInput } from '../../model/session-values.ts'
import { stackConditioning } from '../../pipelines/conditioning.ts'
import type { Predict } from '../../pipelines/denoiser.ts'
import type { ImageModels } from '../../pipelines/models.ts'
import type { GenerateRequest } from '../../pipelines/pipeline.ts'
import { roundToHalves } from '../../tensor/float16.ts'
import { sizeOf } from '../../tensor/tensor.ts'
import type { ComponentName } from '../index.ts'
import { type Given, mixFirstFrame } from './conditions.ts'
import type { WanKind } from './kind.ts'

export interface WanDenoiserOptions {
  readonly models: ImageModels
  readonly kind: WanKind
  /** Of the latents. */
  readonly dims: readonly [batch: number, channels: number, frames: number, height: number, width: number]
  readonly given: Given | null
  readonly requests: readonly GenerateRequest[]
  readonly guidanceScale: number
  /** Of the second expert. */
  readonly guidanceScale2: number
  /** Timesteps of the training, of which the boundary between the experts is a share. */
  readonly trainTimesteps: number
}

export interface WanDenoiser {
  readonly predict: Predict
  /** Whether the denoiser that is loaded gives halves. */
  readonly isHalf: () => boolean
}

const OUTPUT = 'out_sample'
/** Rows and columns of latents that a token stands for. */
const PATCH = 2

export function createWanDenoiser(options: WanDenoiserOptions): WanDenoiser {
  const { models, kind, dims, requests, guidanceScale, guidanceScale2, trainTimesteps } = options
  const boundary = kind.boundaryRatio === null ? null : kind.boundaryRatio * trainTimesteps
  // Whether there is guidance at all is the first scale's matter, as in diffusers.
  const isGuided = guidanceScale > 1
  const texts = {
    positive: stackConditioning(requests, 'positive').embeds,
    negative: isGuided ? stackConditioning(requests, 'negative').embeds : null,
  }
  const size = sizeOf(dims)
  const kept = new Float32Array(isGuided ? size : 0)
  let current: { readonly name: ComponentName; readonly calls: Calls } | null = null

  const callsOf = async (name: ComponentName): Promise<Calls> => {
    if (current?.name === name) return current.calls
    // The other expert's inputs go before it does.
    current = null
    const session = await models.takeDenoiser(name)
    const calls = createCalls(session, options, texts)
    current = { name, calls }
    return calls
  }

  return {
    isHalf: () => models.denoiser.outputs.every(({ type }) => type === 'float16'),
    async predict(latents, timestep) {
      const isFirst = boundary === null || timestep >= boundary
      const calls = await callsOf(isFirst ? 'transformer' : 'transformer_2')
      calls.write(latents, timestep)
      const conditioned = await calls.evaluate('positive')
      if (!isGuided) return conditioned
      kept.set(conditioned)
      const unconditioned = await calls.evaluate('negative')
      const scale = isFirst ? guidanceScale : guidanceScale2
      return calls.isHalf
        ? guideInHalves(unconditioned, kept, scale)
        : applyGuidance(unconditioned, kept, scale, kept)
    },
  }
}

interface Texts {
  readonly positive: { readonly data: Float32Array; readonly dims: readonly number[] }
  readonly negative: Texts['positive'] | null
}

interface Calls {
  readonly isHalf: boolean
  readonly write: (latents: Float32Array, timestep: number) => void
  readonly evaluate: (side: 'positive' | 'negative') => Promise<Float32Array>
}

/** The inputs of one session. */
function createCalls(session: ModelSession, { dims, given, kind }: WanDenoiserOptions, texts: Texts): Calls {
  const [batch, channels, frames, height, width] = dims
  const own = channels * frames * height * width
  const condition = given?.kind === 'channels' ? given.condition : null
  const extra = (condition?.length ?? 0) / batch
  const rows = channels + extra / (frames * height * width)
  const sample = session.createInput('hidden_states', [batch, rows, frames, height, width])
  for (let index = 0; condition !== null && index < batch; index++) {
    sample.write(condition.subarray(index * extra, (index + 1) * extra), index * (own + extra) + own)
  }
  const tokensAFrame = (height / PATCH) * (width / PATCH)
  const tokens = frames * tokensAFrame
  const timestepInput = session.createInput('timestep', kind.expandsTimesteps ? [batch, tokens] : [batch])
  const timesteps = new Float32Array(sizeOf(timestepInput.dims))
  const vision = given?.kind === 'channels' ? given.vision : null
  const shared: ModelInput[] = [sample, timestepInput]
  if (vision !== null) shared.push(written(session, 'encoder_hidden_states_image', vision))
  const sides = {
    positive: [...shared, written(session, 'encoder_hidden_states', texts.positive)],
    negative: texts.negative && [...shared, written(session, 'encoder_hidden_states', texts.negative)],
  }
  const firstFrame = given?.kind === 'first frame' ? given.latents : null
  const mixed = new Float32Array(firstFrame === null ? 0 : sizeOf(dims))

  return {
    isHalf: session.outputs.every(({ type }) => type === 'float16'),
    write(latents, timestep) {
      const input = firstFrame === null ? latents : mixFirstFrame(latents, firstFrame, dims, mixed)
      for (let index = 0; index < batch; index++) {
        sample.write(input.subarray(index * own, (index + 1) * own), index * (own + extra))
      }
      timesteps.fill(timestep)
      // What is given is no noise: its tokens stand at timestep 0.
      for (let index = 0; firstFrame !== null && index < batch; index++) {
        timesteps.fill(0, index * tokens, index * tokens + tokensAFrame)
      }
      timestepInput.write(timesteps)
    },
    async evaluate(side) {
      const inputs = sides[side]
      if (inputs === null) throw new RangeError('the negative prompt was not encoded')
      const { [OUTPUT]: output } = await session.run(inputs, [OUTPUT], { [OUTPUT]: dims })
      return output.data
    },
  }
}

function written(session: ModelSession, name: string, { data, dims }: Texts['positive']): ModelInput {
  const input = session.createInput(name, dims)
  input.write(data)
  return input
}

/** u + g · (c − u) as torch computes it in half precision, each operation rounded. In place of `conditioned`. */
function guideInHalves(unconditioned: Float32Array, conditioned: Float32Array, scale: number): Float32Array {
  for (let i = 0; i < conditioned.length; i++) conditioned[i]! -= unconditioned[i]!
  roundToHalves(conditioned)
  for (let i = 0; i < conditioned.length; i++) conditioned[i]! *= scale
  roundToHalves(conditioned)
  for (let i = 0; i < conditioned.length; i++) conditioned[i]! += unconditioned[i]!
  return roundToHalves(conditioned)
}
