import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temp.ts'
import { measureMemory } from './memory.ts'

describe('promise 18: memory stays flat', () => {
  it('over 600 uploads', async () => {
    const { grownBytes, uploaded } = await measureMemory(await temporaryFolder(), 600, 320)
    expect(uploaded).toBeGreaterThanOrEqual(920)
    expect(grownBytes).toBeLessThan(64 * 1024 * 1024)
  }, 180_000)
})
