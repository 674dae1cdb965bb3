import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_TIMEOUTS } from '../../src/storage/s3-client.ts'
import {
  expectWholeInBucket,
  type FaultyBucket,
  makeTree,
  sendTree,
  startFaultyBucket,
} from '../support/bucket.ts'
import { temporaryFolder } from '../support/temp.ts'
import {
  cutUploads,
  flipBytes,
  sendSameSizeChanges,
  sendThroughStorm,
  sendToSilence,
  sendTwice,
} from './network.ts'

let bucket: FaultyBucket
beforeAll(async () => {
  bucket = await startFaultyBucket()
})
afterAll(() => bucket.stop())

const scenario = async (name: string) => ({ bucket, name, folder: await temporaryFolder() })

describe('promise 4: a marker in the bucket implies its whole variant', () => {
  it('at 12 cut points, of a first and of a second making', { timeout: 240_000 }, async () => {
    // A cut that lets no marker through would prove nothing.
    expect(await cutUploads(await scenario('cuts'), 12)).toBeGreaterThan(5)
  })
})

describe('promise 5: 30 % of requests fail, all objects land', () => {
  it('with at most 1.6 PUTs an object (150 objects)', async () => {
    const puts = await sendThroughStorm(await scenario('storm'), 15)
    expect(puts).toBeGreaterThan(1.2)
    expect(puts).toBeLessThanOrEqual(1.6)
  })
})

describe('promise 6: an endpoint that never answers is a failure, not a hang', () => {
  it('within its limits, here shortened', async () => {
    const limits = { attemptMs: 300, preflightMs: 900, deadlineMs: 800, stallMs: 2000 }
    const { preflightMs, drainMs } = await sendToSilence(await scenario('silence'), limits)
    expect(preflightMs).toBeLessThan(4000)
    expect(drainMs).toBeLessThan(8000)
  })

  it('whose defaults add up to less than five minutes', () => {
    const { preflightMs, deadlineMs } = DEFAULT_TIMEOUTS
    expect(preflightMs + deadlineMs).toBeLessThan(300_000)
  })
})

describe('promise 7: a byte flipped on the way is never taken for the object', () => {
  it('in a part of 60 objects, and always in one', async () => {
    const { flipped } = await flipBytes(await scenario('flips'), 10)
    expect(flipped).toBeGreaterThan(3)
  })
})

describe('promise 8: a second run over a complete set asks the bucket nothing', () => {
  it('with 60 units', async () => {
    const { requests } = await sendTwice(await scenario('twice'), 60)
    expect(requests).toBe(0)
  })
})

describe('promise 9: same size, other content', () => {
  it('always goes out again', async () => {
    await sendSameSizeChanges(await scenario('changes'))
  })
})

describe('a captive portal', () => {
  it('that answers some requests with a page and 200 fools nobody', async () => {
    const { name, folder } = await scenario('portal')
    await bucket.moto.createBucket(name)
    const tree = await makeTree(folder, name, { variants: 4, steps: 3 })
    bucket.proxy.setFaults(({ method, attempt }) => (method === 'PUT' && attempt === 1 ? 'portal' : null))
    const storage = bucket.open(name)
    const result = await sendTree(tree, storage)
    bucket.proxy.setFaults(() => null)
    expect(result).toMatchObject({ uploaded: tree.objects + 1, failures: [] })
    const attempts = result.events.flatMap((event) =>
      event.type === 'object-uploaded' ? event.attempts : [],
    )
    expect(attempts).toEqual(Array(tree.objects + 1).fill(2))
    await expectWholeInBucket(tree, storage)
    await tree.ledger.close()
    await storage.close()
  })
})
