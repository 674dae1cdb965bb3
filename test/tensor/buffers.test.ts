import { describe, expect, test } from 'vitest'
import { bufferOf, freeArray } from '../../src/tensor/buffers.ts'

const MIB = 2 ** 20

describe('freeing an array', () => {
  test('gives its memory back without a collection', () => {
    const before = process.memoryUsage().arrayBuffers
    const arrays = Array.from({ length: 4 }, () => new Float32Array(4 * MIB))
    expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(60 * MIB)
    for (const array of arrays) freeArray(array)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * MIB)
  })

  test('empties all views of it, and may be done twice', () => {
    const array = Float32Array.of(1, 2, 3)
    const view = new Uint8Array(array.buffer)
    freeArray(array)
    freeArray(array)
    expect([array.length, view.length]).toEqual([0, 0])
  })

  test('is refused for memory that threads share', () => {
    expect(() => freeArray(new Uint8Array(new SharedArrayBuffer(8)))).toThrow(TypeError)
  })
})

test('an array’s memory can be handed over', () => {
  const array = Uint8Array.of(7)
  expect(bufferOf(array)).toBe(array.buffer)
})
