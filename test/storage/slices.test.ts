import type { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createSlicer } from '../../src/storage/slices.ts'

const KIB = 1024

/** Reads a body on a line that takes so many bytes a millisecond; gives the slices' sizes in KiB. */
function createLine() {
  let time = 0
  const slice = createSlicer(() => time)
  let signs = 0
  return {
    signs: () => signs,
    async take(body: Uint8Array, bytesPerMs: number): Promise<number[]> {
      const sizes: number[] = []
      const parts: Uint8Array[] = []
      for await (const part of slice(body, () => signs++) as Readable & AsyncIterable<Uint8Array>) {
        parts.push(part)
        sizes.push(part.byteLength / KIB)
        time += part.byteLength / bytesPerMs
      }
      expect(Buffer.concat(parts).equals(body)).toBe(true)
      return sizes
    },
  }
}

const bodyOf = (kib: number) => new Uint8Array(kib * KIB).map((_, index) => index % 251)

describe('a body in slices', () => {
  it('is not cut where it is small', () => {
    const small = bodyOf(256)
    expect(createSlicer()(small, () => undefined)).toBe(small)
  })

  it('goes in small ones on a thin line, and each is a sign that it moves', async () => {
    const line = createLine()
    expect(await line.take(bodyOf(1100), 1000)).toEqual([256, 256, 256, 256, 76])
    expect(line.signs()).toBe(5)
  })

  it('goes in larger ones on a quick line, which the next body knows', async () => {
    const line = createLine()
    expect(await line.take(bodyOf(6000), 100_000)).toEqual([256, 256, 512, 1024, 2048, 1904])
    expect(await line.take(bodyOf(3000), 100_000)).toEqual([2048, 952])
  })

  it('goes in small ones again from the first slice on that was slow', async () => {
    const line = createLine()
    await line.take(bodyOf(6000), 100_000)
    expect(await line.take(bodyOf(6000), 30_000)).toEqual([2048, 2048, 256, 512, 1024, 112])
  })
})
