import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { encodePng, generationParameters, insertText } from '../../src/artifacts/png.ts'
import { encodeThumbnail } from '../../src/artifacts/thumbnail.ts'

function noise(width: number, height: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

/** Type and data of each chunk; the CRC of each is checked. */
function chunksOf(png: Uint8Array): { type: string; data: Buffer }[] {
  const bytes = Buffer.from(png)
  const chunks: { type: string; data: Buffer }[] = []
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const body = bytes.subarray(at + 4, at + 8 + length)
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc32(body))
    chunks.push({ type: body.toString('latin1', 0, 4), data: body.subarray(4) })
    at += 12 + length
  }
  return chunks
}

describe('encodePng', () => {
  it('gives back the very pixels', async () => {
    const rgb = noise(37, 21)
    const png = await encodePng(rgb, 37, 21)
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true })
    expect([info.width, info.height, info.channels]).toEqual([37, 21, 3])
    expect(Buffer.compare(data, Buffer.from(rgb))).toBe(0)
  })

  it('gives the same bytes for the same pixels, also side by side', async () => {
    const rgb = noise(64, 64)
    const all = await Promise.all(Array.from({ length: 8 }, () => encodePng(rgb, 64, 64)))
    for (const png of all) expect(Buffer.compare(Buffer.from(png), Buffer.from(all[0] ?? []))).toBe(0)
  })

  it('holds no text, time or path unless asked', async () => {
    const types = chunksOf(await encodePng(noise(16, 16), 16, 16)).map((chunk) => chunk.type)
    for (const type of ['tEXt', 'iTXt', 'zTXt', 'tIME', 'eXIf']) expect(types).not.toContain(type)
  })

  it('refuses a buffer of another size', async () => {
    await expect(encodePng(new Uint8Array(10), 2, 2)).rejects.toThrow(/2 × 2 RGB is 12 bytes/)
  })

  it('carries the prompt as A1111 does, where it is asked for', async () => {
    const metadata = generationParameters({
      prompt: 'misty mountains',
      negativePrompt: 'city',
      steps: 20,
      sampler: 'euler',
      guidanceScale: 4.5,
      seed: 18446744073709551615n,
      width: 16,
      height: 16,
      model: 'backdrop',
      denoiseStrength: 0.6,
    })
    expect(metadata).toBe(
      'misty mountains\nNegative prompt: city\nSteps: 20, Sampler: euler, CFG scale: 4.5, ' +
        'Seed: 18446744073709551615, Size: 16x16, Model: backdrop, Denoising strength: 0.6',
    )
    const png = await encodePng(noise(16, 16), 16, 16, { metadata })
    const chunk = chunksOf(png)[1]
    expect(chunk?.type).toBe('tEXt')
    expect(chunk?.data.toString('latin1')).toBe(`parameters\0${metadata}`)
    const { comments } = await sharp(png).metadata()
    expect(comments).toEqual([{ keyword: 'parameters', text: metadata }])
  })

  it('turns to UTF-8 for prompts beyond Latin-1', async () => {
    const png = await encodePng(noise(16, 16), 16, 16, { metadata: 'морской берег 晨' })
    const chunk = chunksOf(png)[1]
    expect(chunk?.type).toBe('iTXt')
    expect(chunk?.data.toString('utf8')).toBe('parameters\0\0\0\0\0морской берег 晨')
    expect((await sharp(png).metadata()).comments).toEqual([
      { keyword: 'parameters', text: 'морской берег 晨' },
    ])
  })

  it('leaves the pixels alone when text goes in', async () => {
    const plain = await encodePng(noise(16, 16), 16, 16)
    const withText = insertText(plain, 'parameters', 'a\0b')
    const pixels = await Promise.all([plain, withText].map((png) => sharp(png).raw().toBuffer()))
    expect(Buffer.compare(pixels[0] ?? Buffer.alloc(0), pixels[1] ?? Buffer.alloc(1))).toBe(0)
  })
})

describe('encodeThumbnail', () => {
  it.each([
    [512, 512, 256, 256],
    [512, 256, 256, 128],
    [200, 600, 85, 256],
    [128, 64, 128, 64],
  ])('of %i × %i is %i × %i', async (width, height, thumbWidth, thumbHeight) => {
    const info = await sharp(await encodeThumbnail(noise(width, height), width, height)).metadata()
    expect([info.format, info.width, info.height]).toEqual(['webp', thumbWidth, thumbHeight])
  })
})
