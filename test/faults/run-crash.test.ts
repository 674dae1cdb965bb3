import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temp.ts'
import { killAtEveryPoint, killAtRandom, prepareCrashes } from './run-crash.ts'

describe('promise 1: a run that is killed anywhere', () => {
  it('is completed by a rerun, byte for byte: 6 random moments and every named point', async () => {
    const folder = await temporaryFolder()
    const stage = await prepareCrashes(folder)
    const { killed, kept } = await killAtRandom(stage, folder, 6)
    expect(killed).toBe(6)
    expect(kept.length).toBeGreaterThanOrEqual(6)
    expect((await killAtEveryPoint(stage, folder)).length).toBeGreaterThanOrEqual(20)
  }, 600_000)
})
