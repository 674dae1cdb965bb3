import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { familyOf } from '../../src/families/index.ts'
import {
  chooseFactors,
  formatPreviewJson,
  parsePreviewJson,
  readPreviewJson,
} from '../../src/preview/preview-json.ts'
import fc from '../support/seed.ts'

const OWN = { factors: [[0.1, 0.2, 0.3]], bias: [0, 0, 0.5] } as const

describe('parsePreviewJson', () => {
  it('reads factors and bias, and passes over other keys', () => {
    const text = '{"factors": [[1, 2, 3], [4, 5, 6]], "bias": [0, -1, 0.5], "fit": {"r2": 0.9}}'
    expect(parsePreviewJson(text, 'preview.json')).toEqual({
      factors: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      bias: [0, -1, 0.5],
    })
  })

  it.each([
    ['{', /preview\.json is not JSON/],
    ['null', /not a JSON object/],
    ['{"bias": [0, 0, 0]}', /no "factors"/],
    ['{"factors": [], "bias": [0, 0, 0]}', /no "factors"/],
    ['{"factors": [[1, 2, 3]]}', /no "bias"/],
    ['{"factors": [[1, 2, 3]], "bias": [0, 0]}', /no "bias" of three/],
    ['{"factors": [[1, 2, 3], [1, 2]], "bias": [0, 0, 0]}', /factors\[1\]/],
    ['{"factors": [[1, 2, "3"]], "bias": [0, 0, 0]}', /factors\[0\]/],
    ['{"factors": [[1, 2, 1e999]], "bias": [0, 0, 0]}', /factors\[0\]/],
  ])('says what is wrong with %s', (text, message) => {
    expect(() => parsePreviewJson(text, 'preview.json')).toThrow(
      expect.objectContaining({ code: 'E_PREVIEW_JSON', message: expect.stringMatching(message) }),
    )
  })

  it('reads back what formatPreviewJson writes, to six digits', () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true })
    const triple = fc.tuple(value, value, value)
    fc.assert(
      fc.property(fc.array(triple, { minLength: 1, maxLength: 16 }), triple, (factors, bias) => {
        const read = parsePreviewJson(formatPreviewJson({ factors, bias }), 'preview.json')
        const written = [...factors, bias].flat()
        for (const [i, entry] of [...read.factors, read.bias].flat().entries()) {
          expect(Math.abs(entry - written[i]!)).toBeLessThanOrEqual(Math.abs(written[i]!) * 1e-5)
        }
      }),
    )
  })

  it('keeps the record of the fit in the file', () => {
    const fit = { pictures: 20, pixels: 5120, r2: 0.91, psnr: 24.5 }
    expect(JSON.parse(formatPreviewJson(OWN, fit))).toEqual({ ...OWN, fit })
  })
})

describe('readPreviewJson', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pregen-preview-'))
  })
  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  it('gives the factors of the folder, or null without any', async () => {
    expect(await readPreviewJson(folder)).toBeNull()
    await writeFile(join(folder, 'preview.json'), formatPreviewJson(OWN))
    expect(await readPreviewJson(folder)).toEqual(OWN)
  })

  it('does not pass a broken file off as none', async () => {
    await writeFile(join(folder, 'preview.json'), '[]')
    await expect(readPreviewJson(folder)).rejects.toMatchObject({ code: 'E_PREVIEW_JSON' })
    await expect(readPreviewJson(join(folder, 'preview.json'))).rejects.toMatchObject({
      code: 'E_PREVIEW_JSON',
    })
  })
})

const SD = familyOf('sd').previewFactors()

describe('chooseFactors', () => {
  it("prefers the folder's own", () => {
    expect(chooseFactors({ family: 'sd', latentChannels: 1, folderFactors: OWN, published: SD })).toBe(OWN)
  })

  it("falls back to the family's", () => {
    expect(chooseFactors({ family: 'sd', latentChannels: 4, folderFactors: null, published: SD })).toBe(SD)
  })

  it('never lets a wrong number of channels through, whoever gave the factors', () => {
    expect(() =>
      chooseFactors({ family: 'sd3', latentChannels: 16, folderFactors: OWN, published: null }),
    ).toThrow(
      expect.objectContaining({
        code: 'E_PREVIEW_CHANNELS',
        message: expect.stringContaining('preview.json'),
      }),
    )
    expect(() =>
      chooseFactors({ family: 'sdxl', latentChannels: 16, folderFactors: null, published: SD }),
    ).toThrow(
      expect.objectContaining({ code: 'E_PREVIEW_CHANNELS', message: expect.stringContaining('"sdxl"') }),
    )
  })

  it('says so when there are none', () => {
    expect(() =>
      chooseFactors({ family: 'toy', latentChannels: 16, folderFactors: null, published: null }),
    ).toThrow(expect.objectContaining({ code: 'E_PREVIEW_FACTORS' }))
  })
})
