import { describe, expect, it } from 'vitest'
import { checkAspect, fitImage, isSameAspect } from '../../src/images/fit-image.ts'
import { toModelInput } from '../../src/images/model-input.ts'
import fc from '../support/seed.ts'
import { goldens, noise, sha256 } from './goldens.ts'

describe.each(goldens.fitted)('$source → $target', (golden) => {
  it.each(['fill', 'cover', 'contain'] as const)('%s is what diffusers and Pillow make', (fit) => {
    const [width, height] = golden.target
    const fitted = fitImage(noise(...golden.source), { width, height }, fit)
    expect(fitted).toMatchObject({ width, height })
    expect(sha256(fitted.rgb)).toBe(golden[fit])
  })
})

it.each(['fill', 'cover', 'contain', undefined] as const)(
  '%s gives the size asked for, whatever the sizes',
  (fit) => {
    const side = fc.integer({ min: 1, max: 48 })
    fc.assert(
      fc.property(side, side, side, side, (sourceWidth, sourceHeight, width, height) => {
        const fitted = fitImage(noise(sourceWidth, sourceHeight), { width, height }, fit)
        expect(fitted).toMatchObject({ width, height })
        expect(fitted.rgb).toHaveLength(width * height * 3)
      }),
    )
  },
)

it('covers a square with a thread without making the whole of it', () => {
  const thread = noise(1, 20_000)
  expect(fitImage(thread, { width: 512, height: 512 }, 'cover').rgb).toHaveLength(512 * 512 * 3)
})

describe('aspect', () => {
  it.each([
    [1024, 768, 512, 384, true],
    [1000, 667, 768, 512, true],
    [1920, 1080, 1024, 576, true],
    [64, 64, 512, 512, true],
    [1024, 768, 512, 512, false],
    [64, 64, 64, 72, false],
    [768, 1024, 1024, 768, false],
  ])('%i × %i against %i × %i: %s', (sourceWidth, sourceHeight, width, height, same) => {
    const image = { width: sourceWidth, height: sourceHeight }
    expect(isSameAspect(image, { width, height })).toBe(same)
    const check = (): void => checkAspect(image, { width, height }, undefined, 'stage.png')
    if (same) expect(check).not.toThrow()
    else {
      expect(check).toThrow(
        expect.objectContaining({
          code: 'E_IMAGE_ASPECT',
          message: expect.stringContaining(`"stage.png" is ${sourceWidth} × ${sourceHeight}`),
          help: expect.stringContaining('fit: cover'),
        }),
      )
    }
    expect(() => checkAspect(image, { width, height }, 'cover', 'stage.png')).not.toThrow()
  })
})

describe('toModelInput', () => {
  it("has diffusers' float32 for every byte", () => {
    const rgb = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))
    const input = toModelInput({ rgb, width: 16, height: 16 })
    expect([...input.subarray(0, 256)]).toEqual(goldens.modelInput.ramp.map(Math.fround))
    expect(input.subarray(256, 512)).toEqual(input.subarray(0, 256))
  })

  it('lays channels out one after another', () => {
    const input = toModelInput(noise(24, 16))
    expect(sha256(new Uint8Array(input.buffer))).toBe(goldens.modelInput.noise24x16)
  })
})
