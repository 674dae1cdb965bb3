/** Promises 4 to 9: what the bucket holds is whole, whatever the network does. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { inspectFiles } from '../../src/artifacts/file-state.ts'
import { openLedger } from '../../src/artifacts/ledger.ts'
import { DEFAULT_TIMEOUTS } from '../../src/storage/s3-client.ts'
import {
  expectMarkersTrueInBucket,
  expectWholeInBucket,
  type FaultyBucket,
  makeTree,
  sendTree,
} from '../support/bucket.ts'
import { chanceOf, type Fault, type ProxiedRequest } from '../support/fault-proxy.ts'

/** Keys are of one bucket a scenario, so that none sees another's objects. */
export interface Scenario {
  readonly bucket: FaultyBucket
  readonly name: string
  readonly folder: string
}

/**
 * Promise 4. Cuts the upload of a set, and of a second making of it over the first, after each n-th request; then
 * looks at the bucket.
 * @returns markers seen in all
 */
export async function cutUploads(scenario: Scenario, cuts: number): Promise<number> {
  const { bucket, name, folder } = scenario
  await bucket.moto.createBucket(name)
  const direct = bucket.openDirectly(name)
  const size = { variants: 5, steps: 2 }
  const perMaking = size.variants * (size.steps + 2)
  let markers = 0
  for (let cut = 0; cut < cuts; cut++) {
    const version = `cut-${cut}`
    const first = await makeTree(join(folder, version), version, { ...size, mark: 'a' })
    // Half of the cuts go through the first making, half through the second.
    const isSecond = cut % 2 === 1
    const allowed = Math.floor((perMaking * (cut + 1)) / cuts)
    const storage = bucket.open(name, { deadlineMs: 2000 })
    let trees = [first]
    let current = first
    bucket.proxy.setFaults(() => null)
    if (isSecond) {
      expect((await sendTree(first, storage)).failures).toEqual([])
      await first.ledger.close()
      current = await makeTree(join(folder, version), version, { ...size, mark: 'b' })
      trees = [first, current]
    }
    const controller = new AbortController()
    let seen = 0
    bucket.proxy.setFaults(() => {
      seen += 1
      if (seen <= allowed) return null
      controller.abort()
      return cut % 3 === 0 ? 'reset-after' : 'reset'
    })
    await sendTree(current, storage, { signal: controller.signal, concurrency: 2 })
    // What was on its way when the upload was cut may still land.
    await bucket.proxy.settled()
    markers += await expectMarkersTrueInBucket(trees, direct)
    // What was cut is mended by the next run, which sends what is missing.
    bucket.proxy.setFaults(() => null)
    expect(await sendTree(current, storage)).toMatchObject({ failures: [], pending: 0 })
    await expectWholeInBucket(current, direct)
    await current.ledger.close()
    await storage.close()
    await rm(join(folder, version), { recursive: true })
  }
  await direct.close()
  return markers
}

const STORM: readonly Fault[] = [500, 503, 429, 'reset', 'reset-after']

/** Promise 5. @returns PUTs an object */
export async function sendThroughStorm(scenario: Scenario, variants: number): Promise<number> {
  const { bucket, name, folder } = scenario
  await bucket.moto.createBucket(name)
  const tree = await makeTree(folder, name, { variants, steps: 8 })
  const before = bucket.proxy.total('PUT')
  bucket.proxy.setFaults(({ method, path, attempt }) => {
    if (method !== 'PUT') return null
    const chance = chanceOf(`${path}#${attempt}`)
    return chance < 0.3 ? (STORM[Math.floor((chance / 0.3) * STORM.length)] ?? null) : null
  })
  const storage = bucket.open(name)
  const result = await sendTree(tree, storage)
  bucket.proxy.setFaults(() => null)
  expect(result).toMatchObject({ uploaded: tree.objects + 1, failures: [], pending: 0 })
  const attempts = result.events.flatMap((event) =>
    event.type === 'object-uploaded' ? [event.attempts] : [],
  )
  const puts = bucket.proxy.total('PUT') - before
  // What the events tell is what the server saw.
  expect(attempts.reduce((sum, n) => sum + n, 0)).toBe(puts)
  await expectWholeInBucket(tree, storage)
  await tree.ledger.close()
  await storage.close()
  return puts / (tree.objects + 1)
}

/** Promise 6. @returns ms until the run had failed, preflight and drain each */
export async function sendToSilence(
  scenario: Scenario,
  timeouts: { attemptMs?: number; preflightMs?: number; deadlineMs?: number; stallMs?: number },
): Promise<{ preflightMs: number; drainMs: number }> {
  const { bucket, name, folder } = scenario
  const tree = await makeTree(folder, name, { variants: 6, steps: 3 })
  const { stallMs, ...limits } = timeouts
  const storage = bucket.open(name, { ...DEFAULT_TIMEOUTS, ...limits })
  bucket.proxy.setFaults(() => 'hang')
  let from = performance.now()
  await expect(storage.preflight()).rejects.toMatchObject({ code: 'E_UPLOAD_TIMEOUT' })
  const preflightMs = performance.now() - from
  from = performance.now()
  const result = await sendTree(tree, storage, { stallMs })
  const drainMs = performance.now() - from
  bucket.proxy.setFaults(() => null)
  expect(result.uploaded).toBe(0)
  expect(result.failures.length).toBeGreaterThan(0)
  expect(tree.ledger.sent.get(storage.description)?.size ?? 0).toBe(0)
  await tree.ledger.close()
  await storage.close()
  return { preflightMs, drainMs }
}

/** Promise 7. Flips a byte in a part of the PUTs; then in all PUTs of one object. */
export async function flipBytes(scenario: Scenario, variants: number): Promise<{ readonly flipped: number }> {
  const { bucket, name, folder } = scenario
  await bucket.moto.createBucket(name)
  const tree = await makeTree(join(folder, 'some'), 'some', { variants, steps: 4 })
  let flipped = 0
  const flipSome = ({ method, path, attempt }: ProxiedRequest): Fault => {
    if (method !== 'PUT' || chanceOf(`${path}#${attempt}`) > 0.2) return null
    flipped += 1
    return 'flip'
  }
  bucket.proxy.setFaults(flipSome)
  const storage = bucket.open(name, { deadlineMs: 20_000 })
  const result = await sendTree(tree, storage)
  expect(result).toMatchObject({ uploaded: tree.objects + 1, failures: [], pending: 0 })
  const retried = result.events.filter((event) => event.type === 'object-uploaded' && event.attempts > 1)
  expect(retried.length).toBeGreaterThan(0)
  await expectWholeInBucket(tree, storage)
  await storage.close()
  await tree.ledger.close()

  const always = await makeTree(join(folder, 'always'), 'always', { variants: 1, steps: 4 })
  bucket.proxy.setFaults(({ method, path }) => (method === 'PUT' && path.endsWith('/3.png') ? 'flip' : null))
  const impatient = bucket.open(name, { deadlineMs: 1500 })
  const failed = await sendTree(always, impatient)
  bucket.proxy.setFaults(() => null)
  expect(failed.failures).toHaveLength(1)
  expect(failed.failures[0]).toMatchObject({ key: expect.stringMatching(/3\.png$/) })
  expect(failed.failures[0]?.attempts).toBeGreaterThan(1)
  const sent = always.ledger.sent.get(impatient.description)?.get(always.variants[0]?.key ?? '')
  expect([...(sent?.keys() ?? [])].sort()).toEqual(['1.png', '2.png', '4.png', 'final.png'])
  expect(await impatient.head(`${always.variants[0]?.key}/timing.json`)).toBeNull()
  await impatient.close()
  await always.ledger.close()
  return { flipped }
}

/** Promise 8, its upload half. @returns requests of the second run, and its time from opening the ledger on */
export async function sendTwice(
  scenario: Scenario,
  variants: number,
): Promise<{ readonly requests: number; readonly ms: number }> {
  const { bucket, name, folder } = scenario
  await bucket.moto.createBucket(name)
  bucket.proxy.setFaults(() => null)
  const storage = bucket.open(name)
  const tree = await makeTree(folder, name, { variants, steps: 1 })
  expect(await sendTree(tree, storage)).toMatchObject({ failures: [], pending: 0 })
  await tree.ledger.close()
  const count = () => [...bucket.proxy.requests.values()].reduce((sum, n) => sum + n, 0)
  const before = count()
  const from = performance.now()
  const ledger = await openLedger(tree.layout.state.ledgerPath)
  for (const { key, folder: at } of tree.variants) {
    const states = await inspectFiles(at, ledger.units.get(key)?.files ?? [])
    expect(states.filter(({ fault }) => fault !== null)).toEqual([])
  }
  const result = await sendTree({ ...tree, ledger }, storage)
  const ms = performance.now() - from
  expect(result).toMatchObject({ uploaded: 0, skipped: tree.objects + 1, failures: [] })
  await ledger.close()
  await storage.close()
  return { requests: count() - before, ms }
}

/** Promise 9. The same sizes and even the same times, another content: all of it goes out again. */
export async function sendSameSizeChanges(scenario: Scenario): Promise<void> {
  const { bucket, name, folder } = scenario
  await bucket.moto.createBucket(name)
  bucket.proxy.setFaults(() => null)
  const storage = bucket.open(name)
  const first = await makeTree(folder, name, { variants: 2, steps: 3, mark: 'a' })
  await sendTree(first, storage)
  await first.ledger.close()
  const second = await makeTree(folder, name, { variants: 2, steps: 3, mark: 'b' })
  for (const [i, variant] of second.variants.entries()) {
    expect(variant.files.map((file) => file.sizeBytes)).toEqual(
      first.variants[i]?.files.map((file) => file.sizeBytes),
    )
  }
  expect(await sendTree(second, storage)).toMatchObject({ uploaded: second.objects, failures: [] })
  await expectWholeInBucket(second, storage)
  await second.ledger.close()

  // The same by the bucket's own checksums.
  const third = await makeTree(folder, name, { variants: 2, steps: 3, mark: 'c' })
  expect(await sendTree(third, storage, { verifyRemote: true })).toMatchObject({ failures: [] })
  await expectWholeInBucket(third, storage)
  await third.ledger.close()
  await storage.close()
}
