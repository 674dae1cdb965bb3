import { expect, it } from 'vitest'
import { resizeLanczos } from '../../src/images/pillow-resize.ts'
import fc from '../support/seed.ts'
import { goldens, noise, sha256 } from './goldens.ts'

it.each(goldens.resized)(
  '$source → $target is what Pillow makes, bit for bit',
  ({ source, target, sha256: want }) => {
    const [width, height] = target
    const resized = resizeLanczos(noise(...source), { width, height })
    expect(resized).toMatchObject({ width, height })
    expect(resized.rgb).toHaveLength(width * height * 3)
    expect(sha256(resized.rgb)).toBe(want)
  },
)

const side = fc.integer({ min: 1, max: 40 })

it('keeps a picture of one colour, whatever the sizes', () => {
  fc.assert(
    fc.property(side, side, side, side, fc.nat(255), (sourceWidth, sourceHeight, width, height, value) => {
      const rgb = new Uint8Array(sourceWidth * sourceHeight * 3).fill(value)
      const resized = resizeLanczos({ rgb, width: sourceWidth, height: sourceHeight }, { width, height })
      expect(resized.rgb).toEqual(new Uint8Array(width * height * 3).fill(value))
    }),
  )
})

it('copies a picture that has its size already', () => {
  fc.assert(
    fc.property(side, side, (width, height) => {
      const image = noise(width, height)
      const copy = resizeLanczos(image, { width, height })
      expect(copy).toEqual(image)
      expect(copy.rgb.buffer).not.toBe(image.rgb.buffer)
    }),
  )
})

it('makes of a region what stands there in the whole', () => {
  fc.assert(
    fc.property(side, side, side, side, fc.gen(), (sourceWidth, sourceHeight, width, height, gen) => {
      const left = gen(fc.integer, { min: 0, max: width - 1 })
      const top = gen(fc.integer, { min: 0, max: height - 1 })
      const region = {
        left,
        top,
        width: gen(fc.integer, { min: 1, max: width - left }),
        height: gen(fc.integer, { min: 1, max: height - top }),
      }
      const image = noise(sourceWidth, sourceHeight)
      const whole = resizeLanczos(image, { width, height })
      const part = resizeLanczos(image, { width, height }, region)
      for (let y = 0; y < region.height; y++) {
        const from = ((top + y) * width + left) * 3
        expect(part.rgb.subarray(y * region.width * 3, (y + 1) * region.width * 3)).toEqual(
          whole.rgb.subarray(from, from + region.width * 3),
        )
      }
    }),
  )
})
