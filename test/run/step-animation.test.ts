/** How long each latent frame of a step's animation is seen. */
import fc from 'fast-check'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { animateStep, latentFrameTimes } from '../../src/run/step-animation.ts'

it('gives the first latent frame one frame of the video, every other one four', () => {
  expect(latentFrameTimes(3, { fps: 10, numFrames: 9 })).toEqual([100, 400, 400])
  expect(latentFrameTimes(1, { fps: 16, numFrames: 1 })).toEqual([63])
  expect(latentFrameTimes(4, { fps: 29.97, numFrames: 13 })).toEqual([33, 134, 133, 134])
})

it('adds up to the length of the video, whatever its rate', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 240 }), (count, fps) => {
      const numFrames = 4 * (count - 1) + 1
      const times = latentFrameTimes(count, { fps, numFrames })
      expect(times.reduce((sum, ms) => sum + ms, 0)).toBe(Math.round((numFrames * 1000) / fps))
      expect(Math.min(...times)).toBeGreaterThan(0)
    }),
    { numRuns: 100 },
  )
})

it('makes an animated WebP of them, the same bytes each time', async () => {
  const frames = [0, 80, 160].map((level) => ({
    rgb: new Uint8Array(24 * 16 * 3).map((_, at) => (at * 7 + level) % 256),
    width: 24,
    height: 16,
  }))
  const unit = { fps: 16, numFrames: 9 }
  const webp = await animateStep(frames, unit)
  const { pages, delay, width, pageHeight, loop } = await sharp(webp, { animated: true }).metadata()
  expect({ pages, delay, width, pageHeight, loop }).toEqual({
    ...{ pages: 3, delay: [63, 250, 250], width: 24, pageHeight: 16, loop: 0 },
  })
  expect(await animateStep(frames, unit)).toEqual(webp)
})
