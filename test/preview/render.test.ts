import { describe, expect, it } from 'vitest'
import { PregenError } from '../../src/errors.ts'
import type { LatentRgbFactors } from '../../src/families/family.ts'
import type { PreviewSettings } from '../../src/plan/unit.ts'
import type { DecodePictures } from '../../src/preview/decoder.ts'
import { enlarge } from '../../src/preview/enlarge.ts'
import { imagesOfTensor } from '../../src/preview/image-of-tensor.ts'
import { createPreviewRenderer } from '../../src/preview/render.ts'
import type { RgbImage } from '../../src/tensor/rgb-image.ts'

const GREY: LatentRgbFactors = { factors: [[1, 1, 1]], bias: [0, 0, 0] }
const DIMS = [1, 1, 2, 2]
const LATENTS = Float32Array.of(-1, 1, 0, 0.5)
const settings = (changes: Partial<PreviewSettings>): PreviewSettings => ({
  method: 'latent2rgb',
  every: 1,
  source: 'denoised',
  size: 'latent',
  ...changes,
})
const picture = (side: number, value: number): readonly RgbImage[] =>
  imagesOfTensor({ data: new Float32Array(3 * side * side).fill(value), dims: [1, 3, side, side] })
const white: DecodePictures = async () => picture(16, 1)

describe('createPreviewRenderer', () => {
  const size = { channels: 1, width: 16, height: 16 }

  it('gives latent2rgb one pixel a latent, or the size of the picture', async () => {
    const small = createPreviewRenderer({ settings: settings({}), factors: GREY, ...size })
    expect((await small.render(1, LATENTS, DIMS)).image).toEqual({
      width: 2,
      height: 2,
      rgb: Uint8Array.from([0, 255, 128, 191].flatMap((level) => [level, level, level])),
    })
    const large = createPreviewRenderer({ settings: settings({ size: 'image' }), factors: GREY, ...size })
    const { image } = await large.render(1, LATENTS, DIMS)
    expect([image.width, image.height, image.rgb.length]).toEqual([16, 16, 768])
    expect(image.rgb[0]!).toBeLessThan(10)
    expect(image.rgb[15 * 3]!).toBeGreaterThan(245)
  })

  it.each(['taesd', 'full'] as const)(
    'gives %s the size of the picture, whatever size is asked for',
    async (method) => {
      const half: DecodePictures = async () => picture(8, 1)
      for (const decode of [white, half]) {
        const renderer = createPreviewRenderer({ settings: settings({ method }), decode, ...size })
        const { image } = await renderer.render(1, LATENTS, DIMS)
        expect([image.width, image.height]).toEqual([16, 16])
        expect(image.rgb.every((level) => level === 255)).toBe(true)
      }
    },
  )

  it('shows a video that moves as its middle frame, and all frames small', async () => {
    // Three frames of 2 × 2.
    const latents = Float32Array.of(...LATENTS.map((value) => -value), ...LATENTS, ...LATENTS)
    const options = { factors: GREY, channels: 1, width: 512, height: 256 }
    const still = createPreviewRenderer({ settings: settings({ size: 'image' }), ...options })
    const moving = createPreviewRenderer({
      settings: settings({ size: 'image', frames: 'animated' }),
      ...options,
    })
    const { image, frames = [] } = await moving.render(1, latents, [1, 1, 3, 2, 2])
    expect(image).toEqual((await still.render(1, LATENTS, DIMS)).image)
    expect(frames.map(({ width, height }) => [width, height])).toEqual(Array(3).fill([256, 128]))
    expect(frames[1]).toEqual(frames[2])
    expect(frames[0]).not.toEqual(frames[1])
    const small = createPreviewRenderer({ settings: settings({ frames: 'animated' }), ...options })
    const pixels = await small.render(1, latents, [1, 1, 3, 2, 2])
    expect([pixels.image, ...(pixels.frames ?? [])].map(({ width }) => width)).toEqual([2, 2, 2, 2])
  })

  it('leaves the latents as they were, and gives the same bytes again', async () => {
    const latents = LATENTS.slice()
    const renderer = createPreviewRenderer({ settings: settings({ size: 'image' }), factors: GREY, ...size })
    const first = await renderer.render(1, latents, DIMS)
    expect(await renderer.render(2, latents, DIMS)).toEqual(first)
    expect(latents).toEqual(LATENTS)
  })

  it('is not made at all with factors of another latent space', () => {
    expect(() =>
      createPreviewRenderer({ settings: settings({}), factors: GREY, ...size, channels: 4 }),
    ).toThrow(expect.objectContaining({ code: 'E_PREVIEW_CHANNELS' }))
  })

  it('is not made without what its method needs', () => {
    expect(() => createPreviewRenderer({ settings: settings({}), decode: white, ...size })).toThrow(
      expect.objectContaining({ code: 'E_PREVIEW_FACTORS' }),
    )
    expect(() =>
      createPreviewRenderer({ settings: settings({ method: 'taesd' }), factors: GREY, ...size }),
    ).toThrow(expect.objectContaining({ code: 'E_PREVIEW_DECODER' }))
  })

  it('names method and step of a decoder that fails, and keeps the cause; the next step is not harmed', async () => {
    const oom = new Error('bad allocation')
    let calls = 0
    const decode: DecodePictures = async (latents) => {
      if (++calls === 2) throw oom
      return await white(latents)
    }
    const renderer = createPreviewRenderer({ settings: settings({ method: 'taesd' }), decode, ...size })
    await renderer.render(1, LATENTS, DIMS)
    const failure = renderer.render(2, LATENTS, DIMS)
    await expect(failure).rejects.toBeInstanceOf(PregenError)
    await expect(failure).rejects.toMatchObject({
      code: 'E_PREVIEW_FAILED',
      message: 'The taesd preview of step 2 failed: bad allocation',
      cause: oom,
    })
    expect((await renderer.render(3, LATENTS, DIMS)).image.width).toBe(16)
  })

  it('catches a decoder that throws before it promises anything', async () => {
    const decode: DecodePictures = () => {
      throw new Error('no session')
    }
    const renderer = createPreviewRenderer({ settings: settings({ method: 'full' }), decode, ...size })
    await expect(renderer.render(5, LATENTS, DIMS)).rejects.toThrow(
      'The full preview of step 5 failed: no session',
    )
  })

  it.each(['latent2rgb', 'taesd', 'full'] as const)('makes no %s picture of NaN latents', async (method) => {
    const latents = Float32Array.of(0, Number.NaN, 0, 0)
    // This decoder squashes NaN into white, as a graph that clips may.
    const renderer = createPreviewRenderer({
      settings: settings({ method }),
      factors: GREY,
      decode: white,
      ...size,
    })
    await expect(renderer.render(1, latents, DIMS)).rejects.toMatchObject({
      code: 'E_PREVIEW_NOT_FINITE',
      message: expect.stringContaining('NaN'),
    })
  })

  it('makes no picture of a decoder that gives NaN, or the wrong shape', async () => {
    const broken: DecodePictures = async () => picture(2, Number.NaN)
    const odd: DecodePictures = async () => imagesOfTensor({ data: new Float32Array(4), dims: [1, 1, 2, 2] })
    for (const [decode, code] of [
      [broken, 'E_PREVIEW_NOT_FINITE'],
      [odd, 'E_PREVIEW_SHAPE'],
    ] as const) {
      const renderer = createPreviewRenderer({ settings: settings({ method: 'taesd' }), decode, ...size })
      await expect(renderer.render(1, LATENTS, DIMS)).rejects.toMatchObject({ code })
    }
  })

  it('refuses latents of another number of channels', async () => {
    const renderer = createPreviewRenderer({ settings: settings({ method: 'full' }), decode: white, ...size })
    await expect(renderer.render(1, new Float32Array(8), [1, 2, 2, 2])).rejects.toMatchObject({
      code: 'E_PREVIEW_CHANNELS',
    })
  })
})

describe('enlarge', () => {
  it('keeps a flat colour flat and its value exact', async () => {
    const rgb = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => [10, 127, 255][i % 3]!)
    const image = await enlarge({ rgb, width: 4, height: 4 }, 32, 24)
    expect([image.width, image.height]).toEqual([32, 24])
    expect(image.rgb.every((level, i) => level === [10, 127, 255][i % 3])).toBe(true)
  })

  it('gives the very picture back when there is nothing to do', async () => {
    const image = { rgb: new Uint8Array(12), width: 2, height: 2 }
    expect(await enlarge(image, 2, 2)).toBe(image)
  })

  it('is smooth, unlike repeated pixels, and centred to within a pixel', async () => {
    const ramp = Uint8Array.from([0, 85, 170, 255].flatMap((level) => [level, level, level]))
    const { rgb } = await enlarge({ rgb: ramp, width: 4, height: 1 }, 32, 8)
    const row = Array.from({ length: 32 }, (_, x) => rgb[x * 3]!)
    for (let x = 1; x < 32; x++) {
      expect(row[x]! - row[x - 1]!).toBeGreaterThanOrEqual(0)
      expect(row[x]! - row[x - 1]!).toBeLessThan(20)
    }
    // A ramp that rises by 85 levels in 8 pixels: one of 32 pixels is 11 levels, or 14 at its steepest.
    for (let x = 0; x < 16; x++) expect(Math.abs(row[x]! + row[31 - x]! - 255)).toBeLessThanOrEqual(14)
  })
})
