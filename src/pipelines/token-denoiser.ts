/**
 * Denoisers whose latents are tokens: guidance evaluates the prompt and then the negative prompt, in two calls a step as
 * diffusers' pipelines of these families do. One call of both would need twice the activations.
 */
import { applyGuidance } from '../diffusion/guidance.ts'
import type { ModelSession } from '../model/session.ts'
import type { ModelInput } from '../model/session-values.ts'
import { sizeOf, type Tensor } from '../tensor/tensor.ts'
import { createTimestepInput, type Predict } from './denoiser.ts'

type Inputs = Readonly<Record<string, Tensor>>

export interface TokenDenoiserOptions {
  readonly session: ModelSession
  /** Of the pictures that are denoised: `hidden_states` without what is appended. */
  readonly dims: readonly [pictures: number, tokens: number, channels: number]
  /** [pictures, tokens, channels] after each picture's own tokens: seen, never changed. */
  readonly appended?: Tensor | null
  /** Inputs that differ between the calls of a step, a row a picture. */
  readonly positive: Inputs
  /** null: no guidance. */
  readonly negative: Inputs | null
  /** Inputs of both calls, as they are. */
  readonly shared: Inputs
  readonly guidanceScale: number
  /** What the model is fed for a timestep. */
  readonly feedTimestep: (timestep: number) => number
}

const SAMPLE = 'hidden_states'
const OUTPUT = 'out_hidden_states'

export function createTokenDenoiser(options: TokenDenoiserOptions): Predict {
  const { session, dims, appended = null, positive, negative, shared, guidanceScale, feedTimestep } = options
  const [pictures, tokens, channels] = dims
  const allTokens = tokens + (appended?.dims[1] ?? 0)
  const [own, all] = [tokens * channels, allTokens * channels]
  const inputDims = [pictures, allTokens, channels]
  const output = session.hasOutput(OUTPUT) ? OUTPUT : (session.outputs[0]?.name ?? OUTPUT)

  const sample = session.createInput(SAMPLE, inputDims)
  for (let index = 0; appended !== null && index < pictures; index++) {
    const rest = all - own
    sample.write(appended.data.subarray(index * rest, (index + 1) * rest), index * all + own)
  }
  const timestepInput = createTimestepInput(session, pictures)
  const timesteps = new Float64Array(sizeOf(timestepInput.dims))
  const common = [sample, timestepInput, ...inputsOf(session, shared)]
  const calls = {
    positive: [...common, ...inputsOf(session, positive)],
    negative: negative === null ? null : [...common, ...inputsOf(session, negative)],
  }
  /** The pictures' own tokens of what the model gives. */
  const evaluate = async (inputs: readonly ModelInput[], out: Float32Array): Promise<Float32Array> => {
    const { data } = (await session.run(inputs, [output], { [output]: inputDims }))[output]!
    for (let index = 0; index < pictures; index++) {
      out.set(data.subarray(index * all, index * all + own), index * own)
    }
    return out
  }
  const conditioned = new Float32Array(pictures * own)
  const unconditioned = new Float32Array(calls.negative === null ? 0 : pictures * own)

  return async (latents, timestep) => {
    for (let index = 0; index < pictures; index++) {
      sample.write(latents.subarray(index * own, (index + 1) * own), index * all)
    }
    timestepInput.write(timesteps.fill(feedTimestep(timestep)))
    await evaluate(calls.positive, conditioned)
    if (calls.negative === null) return conditioned
    await evaluate(calls.negative, unconditioned)
    return applyGuidance(unconditioned, conditioned, guidanceScale, unconditioned)
  }
}

function inputsOf(session: ModelSession, tensors: Inputs): ModelInput[] {
  return Object.entries(tensors).map(([name, { data, dims }]) => {
    const input = session.createInput(name, dims)
    input.write(data)
    return input
  })
}
