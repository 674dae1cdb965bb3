/** The denoiser behind one function: buffers made once, the guided prediction written into one that is reused. */
import { applyGuidance } from '../diffusion/guidance.ts'
import type { ModelSession } from '../model/session.ts'
import type { ModelInput } from '../model/session-values.ts'
import { sizeOf, type Tensor } from '../tensor/tensor.ts'

export interface DenoiserOptions {
  readonly session: ModelSession
  /** The input that the latents go to, and its shape for the pictures alone, without the guidance doubling. */
  readonly sample: { readonly name: string; readonly dims: readonly number[] }
  readonly output: string
  /** Inputs that stay the same from step to step, already stacked [negatives, positives] under guidance. */
  readonly constants: Readonly<Record<string, Tensor>>
  /** null: no guidance by a second evaluation. */
  readonly guidanceScale: number | null
  /** What the model is fed for a timestep; default: the timestep itself. */
  readonly feedTimestep?: (timestep: number) => number
  /** Places of a picture's latents from which the two halves of guidance are evaluated in turn; default 96 × 96. */
  readonly halvesFrom?: number
}

/**
 * Evaluates the model.
 * @param sample scaled latents of all pictures
 * @returns the (guided) prediction, valid until the next call
 */
export type Predict = (sample: Float32Array, timestep: number) => Promise<Float32Array>

export function createDenoiser(options: DenoiserOptions): Predict {
  const { session, sample, guidanceScale, feedTimestep = (timestep) => timestep } = options
  // Exports by Olive have names of their own; one output is the one that is meant.
  const output = session.hasOutput(options.output)
    ? options.output
    : (session.outputs[0]?.name ?? options.output)
  const [pictures = 0, ...shape] = sample.dims
  const calls = guidanceScale !== null && takesHalves(options) ? 2 : 1
  const copies = guidanceScale === null ? 1 : 2 / calls
  const rows = copies * pictures
  const sampleInput = session.createInput(sample.name, [rows, ...shape])
  const timestepInput = createTimestepInput(session, rows)
  const timesteps = new Float64Array(sizeOf(timestepInput.dims))
  const feeds = Array.from({ length: calls }, (_, call) => [
    sampleInput,
    timestepInput,
    ...Object.entries(options.constants).map(([name, tensor]) => part(session, name, tensor, [call, calls])),
  ])
  const shapes = { [output]: [rows, ...shape] }
  const evaluate = async (inputs: readonly ModelInput[]): Promise<Float32Array> =>
    (await session.run(inputs, [output], shapes))[output]!.data
  const kept = new Float32Array(calls === 2 ? sizeOf(sample.dims) : 0)

  return async (latents, timestep) => {
    for (let copy = 0; copy < copies; copy++) sampleInput.write(latents, copy * latents.length)
    timestepInput.write(timesteps.fill(feedTimestep(timestep)))
    const prediction = await evaluate(feeds[0]!)
    if (guidanceScale === null) return prediction
    if (calls === 2) {
      kept.set(prediction)
      return applyGuidance(kept, await evaluate(feeds[1]!), guidanceScale, kept)
    }
    const size = prediction.length / 2
    const negative = prediction.subarray(0, size)
    return applyGuidance(negative, prediction.subarray(size), guidanceScale, negative)
  }
}

/** Latents of 768 × 768 pixels: from here on one half keeps a processor as busy as both. */
const LARGE_PLANE = 96 * 96

/**
 * Whether guidance evaluates its negative and its positive half one after the other, which halves the activations. The
 * size of a picture decides, never the memory that is free, so that pictures repeat. GPUs have one call: it keeps them
 * busy. An export with a number of pictures built in has it its way.
 */
function takesHalves({ session, sample, constants, halvesFrom = LARGE_PLANE }: DenoiserOptions): boolean {
  const [pictures, , ...plane] = sample.dims
  const fixed = [sample.name, ...Object.keys(constants)]
    .map((name) => session.input(name)?.dims[0])
    .find((rows) => typeof rows === 'number')
  if (fixed !== undefined) return fixed === pictures
  if (session.provider !== 'cpu' || sizeOf(plane) < halvesFrom) return false
  const timesteps = session.input('timestep')?.dims[0]
  return typeof timesteps !== 'number' || timesteps === pictures
}

/** The rows of a constant input that one of the calls takes, in a buffer of their own. */
function part(
  session: ModelSession,
  name: string,
  tensor: Tensor,
  [call, calls]: readonly [number, number],
): ModelInput {
  if (tensor.dims.length === 0) return scalar(session, name, tensor)
  const [rows = 0, ...shape] = tensor.dims
  const size = tensor.data.length / calls
  const input = session.createInput(name, [rows / calls, ...shape])
  input.write(tensor.data.subarray(call * size, (call + 1) * size))
  return input
}

/** A number that all rows share; some exports wrap it in a dimension. */
function scalar(session: ModelSession, name: string, tensor: Tensor): ModelInput {
  const input = session.createInput(name, session.input(name)?.dims.length === 0 ? [] : [1])
  input.write(tensor.data)
  return input
}

/** A scalar, [1] or [rows], as the export has it; a symbolic dimension takes a value per row. */
export function createTimestepInput(session: ModelSession, rows: number): ModelInput {
  const dims = session.input('timestep')?.dims ?? []
  const [length] = dims
  if (length === undefined) return session.createInput('timestep', [])
  return session.createInput('timestep', [typeof length === 'number' ? length : rows])
}
