import { describe, expect, test } from 'vitest'
import { qwenImageGuidance } from '../../src/families/qwenimage/guide.ts'
import { unpackLatents } from '../../src/pipelines/packing.ts'
import { drawsItsCases } from './command-line.ts'
import { checkMaskedFamily } from './masked-texts.ts'
import { unpackReference } from './reference.ts'

const reference = unpackReference('qwenimage-tiny')

drawsItsCases(reference)
checkMaskedFamily({
  reference,
  template: (prompt) =>
    `<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the objects and background:<|im_end|>\n<|im_start|>user\n${prompt}<|im_end|>\n<|im_start|>assistant\n`,
  guided: { trueCfgScale: 3 },
  tokens: 512,
  unpack: (latents, { params: { width, height } }, pictures) =>
    unpackLatents(latents, [pictures, 16, height / 8, width / 8], new Float32Array(latents.length)),
})

describe('guidance', () => {
  test('keeps the length of each token of the positive answer', () => {
    const [negative, positive] = [Float32Array.of(0, 0, 1, 0), Float32Array.of(3, 4, 0, 2)]
    const out = [...qwenImageGuidance(2, 2, false)(negative, positive, new Float32Array(4))]
    expect(out.slice(0, 2)).toEqual([3, 4])
    // (−1, 4) at the length of (0, 2).
    expect(Math.hypot(out[2]!, out[3]!)).toBeCloseTo(2, 5)
    expect(out[3]! / out[2]!).toBeCloseTo(-4, 4)
  })

  // Recorded with torch 2.13 in float16.
  test('rounds to halves where diffusers does', () => {
    const negative = Float32Array.of(0.1234130859375, -0.77734375, 1.5, 0.333251953125)
    const positive = Float32Array.of(0.98779296875, 0.2210693359375, -0.4541015625, 0.125)
    const out = qwenImageGuidance(4, 4, true)(negative, positive, new Float32Array(4))
    expect([...out]).toEqual([0.501953125, 0.451171875, -0.8857421875, -0.070068359375])
  })
})
