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
}

/**
 * Evaluates the model.
 * @param sample scaled latents of all pictures
 * @returns the (guided) prediction, valid until the next call
 */
export type Predict = (sample: Float32Array, timestep: number) => Promise<Float32Array>

export function createDenoiser(options: DenoiserOptions): Predict {
  const { session, sample, output, guidanceScale, feedTimestep = (timestep) => timestep } = options
  const copies = guidanceScale === null ? 1 : 2
  const rows = copies * sample.dims[0]!
  const sampleInput = session.createInput(sample.name, [rows, ...sample.dims.slice(1)])
  const timestepInput = createTimestepInput(session, rows)
  const timesteps = new Float64Array(sizeOf(timestepInput.dims))
  const inputs = [sampleInput, timestepInput]
  for (const [name, tensor] of Object.entries(options.constants)) {
    const input = session.createInput(name, tensor.dims)
    input.write(tensor.data)
    inputs.push(input)
  }
  return async (latents, timestep) => {
    for (let copy = 0; copy < copies; copy++) sampleInput.write(latents, copy * latents.length)
    timestepInput.write(timesteps.fill(feedTimestep(timestep)))
    const prediction = (await session.run(inputs, [output]))[output]!.data
    if (guidanceScale === null) return prediction
    const size = prediction.length / 2
    const negative = prediction.subarray(0, size)
    return applyGuidance(negative, prediction.subarray(size), guidanceScale, negative)
  }
}

/** A scalar, [1] or [rows], as the export has it; a symbolic dimension takes a value per row. */
function createTimestepInput(session: ModelSession, rows: number): ModelInput {
  const dims = session.input('timestep')?.dims ?? []
  const [length] = dims
  if (length === undefined) return session.createInput('timestep', [])
  return session.createInput('timestep', [typeof length === 'number' ? length : rows])
}
