import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeImage, inspectImage } from '../../src/images/decode-image.ts'
import { applyOrientation } from '../../src/images/orientation.ts'
import { fixtures, goldens, noise, sha256 } from './goldens.ts'

const maxPixels = 1_000_000

describe('decoded as Pillow does', () => {
  it.each(goldens.decoded)('$file', async ({ file, width, height, sha256: want }) => {
    const bytes = readFileSync(join(fixtures, 'sources', file))
    expect(await inspectImage(bytes, file, maxPixels)).toMatchObject({ width, height })
    const image = await decodeImage(bytes, file, maxPixels)
    expect(image).toMatchObject({ width, height })
    expect(sha256(image.rgb)).toBe(want)
  })

  // Levels that may differ: by rounding; and where colour has half the size, at hard edges, which these pictures are full of.
  it.each([
    ['rgb-444', 1, 1],
    ['alpha', 1, 1],
    ['orientation-6', 1, 1],
    ['rgb-420', 100, 15],
  ])('%s.avif, but for %i levels at most and %i on average', async (name, most, average) => {
    const read = (ending: string) => readFileSync(join(fixtures, 'near', `${name}.${ending}`))
    const [image, want] = await Promise.all([
      decodeImage(read('avif'), name, maxPixels),
      decodeImage(read('png'), name, maxPixels),
    ])
    expect(await inspectImage(read('avif'), name, maxPixels)).toEqual({
      ...{ format: 'avif', width: want.width, height: want.height },
    })
    const differences = want.rgb.map((level, at) => Math.abs(level - (image.rgb[at] ?? 0)))
    expect(Math.max(...differences)).toBeLessThanOrEqual(most)
    expect(differences.reduce((sum, one) => sum + one, 0) / differences.length).toBeLessThanOrEqual(average)
  })

  it('has a golden for each source', () => {
    expect(readdirSync(join(fixtures, 'sources')).sort()).toEqual(
      goldens.decoded.map(({ file }) => file).sort(),
    )
  })
})

describe('a file that is cut off', () => {
  it.each([
    ...['rgb.png', 'palette.png', 'rgb-420.jpg', 'progressive.jpg', 'lossy.webp', 'lossless.webp'],
    ...['palette.gif', 'lzw.tiff', 'rgb.tiff', 'grey.avif'],
  ])('%s is broken, wherever the cut is', async (file) => {
    const bytes = readFileSync(join(fixtures, 'sources', file))
    for (const share of [0.05, 0.3, 0.6, 0.9]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * share))
      await expect(decodeImage(cut, file, maxPixels), `${share}`).rejects.toMatchObject({
        code: expect.stringMatching(/^E_IMAGE_(BROKEN|FORMAT)$/),
        message: expect.stringContaining(file),
      })
    }
  })
})

describe('orientation', () => {
  it('is undone by its inverse', () => {
    const image = noise(5, 3)
    const inverse: Record<number, number> = { 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6 }
    for (const [orientation, back] of Object.entries(inverse)) {
      expect(applyOrientation(applyOrientation(image, Number(orientation)), back)).toEqual(image)
    }
  })

  it.each([0, 1, 9, 1.5, Number.NaN])('%s turns nothing', (orientation) => {
    const image = noise(5, 3)
    expect(applyOrientation(image, orientation)).toBe(image)
  })
})
