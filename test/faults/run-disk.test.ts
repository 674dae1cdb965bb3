import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temp.ts'
import { fillAnywhere } from './run-disk-full.ts'
import { readWhileRunning } from './run-reader.ts'

describe('promise 2: a reader of a run in work', () => {
  it('never meets half a picture, half a JSON, or a marker without its pictures', async () => {
    const { looks, pictures, markers, invalid } = await readWhileRunning(await temporaryFolder(), 12)
    expect(invalid).toEqual([])
    // It looked in mid-work, at pictures and markers alike.
    expect(looks).toBeGreaterThan(10)
    expect(pictures).toBeGreaterThan(20)
    expect(markers).toBeGreaterThan(5)
  }, 600_000)
})

describe('promise 3: a run that finds the disk full', () => {
  it('says so with the path and exit code 3, and a rerun completes it', async () => {
    const { tmpfs, limited } = await fillAnywhere(await temporaryFolder(), 4)
    expect(tmpfs + limited).toBe(4)
  }, 600_000)
})
