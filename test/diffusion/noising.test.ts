import { describe, expect, it } from 'vitest'
import { createScheduler } from '../../src/diffusion/create-scheduler.ts'
import { timestepOfSigma } from '../../src/diffusion/sigma-spacing.ts'
import { roundToHalves } from '../../src/tensor/float16.ts'

const SD = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' }
const ORIGINAL = Float32Array.of(1, -2, 0.5, 3)
const NOISE = Float32Array.of(1, 1, -2, 0.25)

// Recorded with diffusers' PNDMScheduler.add_noise on float16 and float32 tensors.
describe('noise on a picture', () => {
  it.each([
    [10, true, [1.037109375, -1.9599609375, 0.4228515625, 3.005859375]],
    [10, false, [1.0404269695, -1.9570159912, 0.4170153141, 3.0077626705]],
    [9, true, [1.271484375, -1.5625, -0.181396484375, 2.916015625]],
    [0, true, [1.111328125, 0.755859375, -1.92578125, 0.60302734375]],
  ])('at evaluation %i, in half precision %s', (call, half, expected) => {
    const scheduler = createScheduler('pndm', SD, { skip_prk_steps: true, steps_offset: 1 })
    scheduler.setTimesteps(10)
    const noisy = scheduler.addNoise(ORIGINAL, NOISE, call, half)
    if (half) roundToHalves(noisy)
    for (const [i, value] of expected.entries()) {
      // Halves: one unit in the last place, for the two products are not rounded on their own.
      expect(Math.abs(noisy[i]! - value)).toBeLessThanOrEqual(half ? Math.abs(value) * 2 ** -10 : 1e-6)
    }
  })
})

it('takes the last level at or below σ, where the levels turn back at the end', () => {
  const levels = Float32Array.of(-1, 0, 2, 1)
  expect(timestepOfSigma(Math.exp(1.5), levels)).toBeCloseTo(2.5, 6)
})
