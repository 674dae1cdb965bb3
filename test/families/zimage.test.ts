import { describe, expect, test } from 'vitest'
import { descendingFloats } from '../../src/families/flow-shift.ts'
import { zimageGuidance } from '../../src/families/zimage/guide.ts'
import { zimageTimestep } from '../../src/families/zimage/pipeline.ts'
import { drawsItsCases } from './command-line.ts'
import { checkMaskedFamily } from './masked-texts.ts'
import { unpackReference } from './reference.ts'

const reference = unpackReference('zimage-tiny')

drawsItsCases(reference)
checkMaskedFamily({
  reference,
  template: (prompt) => `<|im_start|>user\n${prompt}<|im_end|>\n<|im_start|>assistant\n`,
  guided: { guidanceScale: 3 },
  tokens: 512,
  unpack: (latents) => latents,
})

describe('guidance', () => {
  const [negative, positive] = [Float32Array.of(1, 0, 0, 2), Float32Array.of(3, 4, 0, 2)]

  test('adds to the prompt’s own answer', () => {
    expect([...zimageGuidance(0.5, 0, 1)(negative, positive, new Float32Array(4))]).toEqual([4, 6, 0, 2])
  })

  test('is brought back to a length, picture by picture', () => {
    const out = [...zimageGuidance(1, 1, 2)(negative, positive, new Float32Array(4))]
    // (5, 8) becomes as long as (3, 4); (0, 2) stays.
    expect(Math.hypot(out[0]!, out[1]!)).toBeCloseTo(5, 5)
    expect(out[1]! / out[0]!).toBeCloseTo(8 / 5, 5)
    expect(out.slice(2)).toEqual([0, 2])
  })

  test('writes into the memory of the negative answer', () => {
    const kept = negative.slice()
    expect(zimageGuidance(0.5, 0, 1)(kept, positive, kept)).toBe(kept)
    expect([...kept]).toEqual([4, 6, 0, 2])
  })
})

test.each(reference.cases)('$case feeds the timesteps that diffusers feeds', (golden) => {
  const fed = golden.timesteps.map(zimageTimestep)
  expect(fed).toEqual(golden.timesteps_fed_to_denoiser!.map(Math.fround))
})

// Recorded with torch 2.13: torch.linspace(1, 1 / n, n).tolist()
test.each([
  [1, [1]],
  [3, [1, 0.6666666269302368, 0.3333333432674408]],
  [
    7,
    [
      1, 0.8571428656578064, 0.7142857313156128, 0.5714285969734192, 0.4285714626312256, 0.2857142984867096,
      0.1428571492433548,
    ],
  ],
])('%i sigmas as torch spaces them', (steps, expected) => {
  expect(descendingFloats(steps)).toEqual(expected)
})
