import { describe, expect, it } from 'vitest'
import {
  cannotFit,
  cardWords,
  estimateMemory,
  type MemoryFacts,
  smallestCard,
  whatFits,
} from '../../src/plan/memory.ts'

const GIB = 2 ** 30
const level = (stride: number, heads: number, width: number) => ({ stride, heads, textTokens: 0, width })

/** Stable Diffusion 1.5 in fp32, as published. */
const SD15: MemoryFacts = {
  encoders: [{ bytes: 0.49e9, half: false }],
  denoiser: { bytes: 3.44e9, half: false },
  vae: [{ bytes: 0.2e9, half: false }],
  levels: [level(1, 8, 320), level(2, 8, 640), level(4, 8, 1280), level(8, 0, 1280)],
  vaeChannels: [128, 256, 512, 512],
  vaeScale: 8,
  stacksGuidance: true,
}
/** SDXL in fp16. */
const SDXL: MemoryFacts = {
  encoders: [
    { bytes: 0.25e9, half: true },
    { bytes: 1.39e9, half: true },
  ],
  denoiser: { bytes: 5.13e9, half: true },
  vae: [{ bytes: 0.1e9, half: true }],
  levels: [level(1, 0, 320), level(2, 10, 640), level(4, 20, 1280)],
  vaeChannels: [128, 256, 512, 512],
  vaeScale: 8,
  stacksGuidance: true,
}
const at = (side: number, batch = 1) => ({ width: side, height: side, batch, guided: true })

describe('the estimate of memory', () => {
  it('comes near what was measured of SDXL in fp16 on the CPU: 11.3 GiB at 512²', () => {
    const { peakBytes, stage } = estimateMemory(SDXL, at(512), 'cpu')
    expect(stage).toBe('draw')
    expect(peakBytes / GIB).toBeGreaterThan(10)
    expect(peakBytes / GIB).toBeLessThan(12.5)
  })

  it('has no half precision on the CPU, and has it on a GPU', () => {
    expect(estimateMemory(SDXL, at(512), 'gpu').peakBytes).toBeLessThan(
      estimateMemory(SDXL, at(512), 'cpu').peakBytes * 0.6,
    )
  })

  it('knows that halves of guidance in turn spare an attention of 1.1 GiB at 512²', () => {
    const inTurn = estimateMemory(SD15, at(512), 'cpu').peakBytes
    const together = estimateMemory(SD15, at(512), 'gpu').peakBytes
    expect((together - inTurn) / GIB).toBeGreaterThan(0.9)
    expect((together - inTurn) / GIB).toBeLessThan(1.3)
  })

  it('grows with size and batch, never with less', () => {
    const peaks = [at(256), at(512), at(768), at(1024)].map(
      (picture) => estimateMemory(SD15, picture, 'cpu').peakBytes,
    )
    expect(peaks).toEqual([...peaks].sort((a, b) => a - b))
    expect(estimateMemory(SD15, at(512, 4), 'cpu').peakBytes).toBeGreaterThan(
      estimateMemory(SD15, at(512), 'cpu').peakBytes + 3 * GIB,
    )
  })

  it('calls a plan impossible only where it surely is, and says what would fit', () => {
    const bytes = 8 * GIB
    expect(cannotFit(estimateMemory(SD15, at(512), 'cpu'), bytes)).toBe(false)
    expect(cannotFit(estimateMemory(SD15, at(512, 8), 'cpu'), bytes)).toBe(true)
    expect(whatFits(SD15, at(512, 8), 'cpu', bytes)).toBe('batch: 1')
    expect(whatFits(SD15, at(1024), 'cpu', bytes)).toBe('width: 768, height: 768')
    expect(whatFits(SDXL, at(512), 'cpu', 4 * GIB)).toBeNull()
  })

  it('counts guidance once where the halves are evaluated one after the other', () => {
    const inTurn = { ...SD15, stacksGuidance: false }
    const [alone, guided] = [false, true].map((guidance) => ({ ...at(512), guided: guidance }))
    expect(estimateMemory(inTurn, guided!, 'gpu')).toEqual(estimateMemory(inTurn, alone!, 'gpu'))
    expect(estimateMemory(SD15, guided!, 'gpu').peakBytes).toBeGreaterThan(
      estimateMemory(SD15, alone!, 'gpu').peakBytes + GIB / 2,
    )
  })

  it.each([
    [3, 4],
    [3.1, 6],
    [15, 16],
    [15.1, 24],
    [46.9, 48],
    [150, 192],
    [200, null],
  ])('takes %f GiB to a card of %s GB, a GiB of which others have', (gib, card) => {
    const estimate = { peakBytes: gib * GIB, weightBytes: 0, stage: 'draw' } as const
    expect(smallestCard(estimate)).toBe(card)
    expect(cardWords(estimate)).toBe(card === null ? 'more than a card of 192 GB' : `a card of ${card} GB`)
  })
})
