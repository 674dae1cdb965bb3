import { expect, test, vi } from 'vitest'
import { collectYoung } from '../../src/run/collect-young.ts'

const MIB = 2 ** 20

/** Arrays that nothing holds any more when this returns. */
function drop(count: number, bytes: number): void {
  for (let i = 0; i < count; i++) new Uint8Array(bytes).fill(1)
}

test('pictures that are done with are collected, and what is held stays', async () => {
  const held = new Uint8Array(2 * MIB).fill(3)
  collectYoung()
  const before = process.memoryUsage().arrayBuffers
  drop(6, 4 * MIB)
  collectYoung()
  // V8 frees what it found on a thread of its own.
  await vi.waitFor(() => expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB))
  expect(held[MIB]).toBe(3)
})

test('the collector is no global afterwards', () => {
  drop(6, 4 * MIB)
  collectYoung()
  expect(globalThis.gc).toBeUndefined()
})
