import { expect, test } from 'vitest'
import { createModelSession, createRunMeter } from '../../src/model/session.ts'
import { createDenoiser } from '../../src/pipelines/denoiser.ts'
import { createTensor, sizeOf } from '../../src/tensor/tensor.ts'
import { CPU, maxAbs, modelFolder } from './oracle.ts'

function waves(dims: readonly number[], frequency: number) {
  return createTensor(
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(i * frequency)),
    dims,
  )
}

const FAMILIES = [
  ['sd15-tiny', 'unet', 'sample', 4],
  ['sdxl-tiny', 'unet', 'sample', 4],
  ['sd3-tiny', 'transformer', 'hidden_states', 16],
] as const

test.each(FAMILIES)(
  '%s: both halves of guidance in turn predict what they predict together',
  async (model, component, name, channels) => {
    const meter = createRunMeter()
    const { modelPath } = modelFolder(model).components[component]!
    const session = await createModelSession(modelPath, { provider: CPU, meter, label: component })
    const pictures = 2
    const dims = [pictures, channels, 8, 8]
    const constants = Object.fromEntries(
      session.inputs
        .filter((input) => input.name !== name && input.name !== 'timestep')
        .map((input, index) => {
          // 2 pictures, negative and positive; a free second dimension is the texts' length.
          const shape = input.dims.slice(1).map((dim) => (typeof dim === 'number' ? dim : 77))
          return [input.name, waves([2 * pictures, ...shape], 0.37 + index)]
        }),
    )
    const options = {
      session,
      sample: { name, dims },
      output: `out_${name}`,
      constants,
      guidanceScale: 7.5,
    }
    const sample = waves(dims, 0.9).data
    const predict = async (halvesFrom: number) => {
      const denoiser = createDenoiser({ ...options, halvesFrom })
      const before = meter.runs
      const predictions = [(await denoiser(sample, 500)).slice(), (await denoiser(sample, 20)).slice()]
      return { predictions, runs: meter.runs - before }
    }

    const together = await predict(65)
    const inTurn = await predict(64)
    expect([together.runs, inTurn.runs]).toEqual([2, 4])
    for (const [index, prediction] of together.predictions.entries()) {
      expect(maxAbs(prediction, new Float32Array(prediction.length))).toBeGreaterThan(0.01)
      expect(maxAbs(inTurn.predictions[index]!, prediction)).toBeLessThan(1e-5)
    }
    expect(maxAbs(together.predictions[0]!, together.predictions[1]!)).toBeGreaterThan(0)
    expect((await predict(64)).predictions).toEqual(inTurn.predictions)

    // A GPU takes both at once, whatever the size.
    const before = meter.runs
    await createDenoiser({ ...options, session: { ...session, provider: 'cuda' }, halvesFrom: 1 })(
      sample,
      500,
    )
    expect(meter.runs - before).toBe(1)
    await session.dispose()
  },
)
