/** The promises of disk and bucket with their full counts; `test/faults/` holds the same with smaller ones. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { killAndRerun } from '../faults/crash.ts'
import { fillAtOffsets, fillTmpfs } from '../faults/disk-full.ts'
import { measureMemory } from '../faults/memory.ts'
import {
  cutUploads,
  flipBytes,
  sendSameSizeChanges,
  sendThroughStorm,
  sendToSilence,
  sendTwice,
} from '../faults/network.ts'
import { readWhileWriting } from '../faults/reader.ts'
import { type FaultyBucket, startFaultyBucket } from '../support/bucket.ts'
import { temporaryFolder } from '../support/temp.ts'

/** Figures for docs/reliability.md. */
function report(promise: number, figures: object): void {
  console.log(`promise ${promise}: ${JSON.stringify(figures)}`)
}

describe('on disk', () => {
  it('1: 100 SIGKILLs at random moments, and one at every named point', async () => {
    const from = performance.now()
    const { killed, kept } = await killAndRerun({
      folder: await temporaryFolder(),
      kills: 100,
      variants: 12,
      steps: 6,
    })
    report(1, {
      killed,
      reruns: kept.length,
      keptInMidWork: kept.filter((units) => units > 0 && units < 12).length,
      seconds: Math.round((performance.now() - from) / 1000),
    })
    expect(killed).toBe(100)
    expect(new Set(kept).size).toBeGreaterThan(4)
  })

  it('2: a reader every millisecond through 1000 writes', async () => {
    const result = await readWhileWriting(await temporaryFolder(), 1000)
    report(2, result)
    expect(result.invalid).toBe(0)
    expect(result.looks).toBeGreaterThan(500)
  })

  it('3: the disk full at 50 random byte offsets', async () => {
    await fillAtOffsets(await temporaryFolder(), 50)
    report(3, { offsets: 50 })
  })

  it('3: a real file system full 50 times', async () => {
    const result = await fillTmpfs(await temporaryFolder(), 50)
    report(3, { tmpfs: result })
    expect(result.failed).toBe(50)
  })
})

describe('in the bucket', () => {
  let bucket: FaultyBucket
  beforeAll(async () => {
    bucket = await startFaultyBucket()
  })
  afterAll(() => bucket.stop())
  const scenario = async (name: string) => ({ bucket, name, folder: await temporaryFolder() })

  it('4: 100 cut points', async () => {
    const markers = await cutUploads(await scenario('cuts'), 100)
    report(4, { cuts: 100, markers })
    expect(markers).toBeGreaterThan(50)
  })

  it('5: 30 % of requests fail over 1000 objects', async () => {
    const putsPerObject = await sendThroughStorm(await scenario('storm'), 100)
    report(5, { objects: 1001, putsPerObject })
    expect(putsPerObject).toBeLessThanOrEqual(1.6)
  })

  it('6: an endpoint that never answers, with the limits that users have', async () => {
    const result = await sendToSilence(await scenario('silence'), {})
    report(6, result)
    expect(result.preflightMs + result.drainMs).toBeLessThan(300_000)
  })

  it('7: flipped bytes in 20 % of 600 PUTs', async () => {
    report(7, await flipBytes(await scenario('flips'), 100))
  })

  it('8: a second run over 1000 units', async () => {
    const result = await sendTwice(await scenario('twice'), 1000)
    report(8, result)
    expect(result.requests).toBe(0)
    expect(result.ms).toBeLessThan(5000)
  })

  it('9: same sizes, other contents, 20 times', async () => {
    for (let i = 0; i < 20; i++) await sendSameSizeChanges(await scenario(`changes-${i}`))
  })

  it('18: memory over 10,000 uploads', async () => {
    const result = await measureMemory(await temporaryFolder(), 10_000, 1000)
    report(18, { ...result, grownMiB: (result.grownBytes / 2 ** 20).toFixed(1) })
    expect(result.grownBytes).toBeLessThan(64 * 1024 * 1024)
  })
})
