import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FaultyBucket, startFaultyBucket } from '../support/bucket.ts'
import { temporaryFolder } from '../support/temp.ts'
import { countDescriptors } from './descriptors.ts'

let bucket: FaultyBucket
beforeAll(async () => {
  bucket = await startFaultyBucket()
  await bucket.moto.createBucket('good')
})
afterAll(() => bucket.stop())

describe('open files and sockets', () => {
  it('do not grow over uploads that go well, fail, are aborted, time out or are given up', async () => {
    bucket.proxy.setFaults(({ path }) => (path.startsWith('/slow') ? 'hang' : null))
    const folder = join(await temporaryFolder(), 'out')
    const { counts, totals, warnings } = await countDescriptors(folder, bucket.proxy.endpoint, 6)
    // Each way did go its way.
    expect(totals.good).toEqual({ uploaded: 180, failed: 0, pending: 0 })
    expect(totals['good abort']?.pending).toBeGreaterThan(0)
    expect(totals['good altered']?.failed).toBeGreaterThan(0)
    expect(totals.missing?.failed).toBeGreaterThan(0)
    expect(totals['slow deadline']?.pending).toBeGreaterThan(0)
    expect(totals.slow?.failed).toBeGreaterThan(0)
    // After the first round nothing is opened for good.
    expect(Math.max(...counts.slice(2))).toBeLessThanOrEqual((counts[1] ?? 0) + 2)
    expect(warnings.filter((message) => message.includes('garbage collection'))).toEqual([])
  }, 180_000)
})
