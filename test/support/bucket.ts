/** A bucket on a real server behind the fault proxy, and a tree to send there. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createLayout, type Layout } from '../../src/artifacts/layout.ts'
import { type Ledger, openLedger } from '../../src/artifacts/ledger.ts'
import { parseTiming, timingSteps } from '../../src/artifacts/timing.ts'
import { createS3Storage, type S3Timeouts } from '../../src/storage/s3.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { createUploader, type UploadEvent, type UploaderOptions } from '../../src/storage/uploader.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from './moto.ts'
import { type WrittenVariant, writeTestVariant } from './variants.ts'

export interface FaultyBucket {
  readonly moto: MotoServer
  readonly proxy: FaultProxy
  /** A store of this bucket through the proxy. */
  open(bucket: string, timeouts?: S3Timeouts, concurrency?: number): Storage
  /** The same bucket without the proxy. */
  openDirectly(bucket: string): Storage
  stop(): Promise<void>
}

export async function startFaultyBucket(): Promise<FaultyBucket> {
  const moto = await startMoto()
  const proxy = await startFaultProxy(moto.endpoint)
  const create = (endpoint: string, bucket: string, timeouts?: S3Timeouts, concurrency?: number) =>
    createS3Storage({ bucket, endpoint, credentials: TEST_CREDENTIALS, timeouts, concurrency })
  return {
    moto,
    proxy,
    open: (bucket, timeouts, concurrency) => create(proxy.endpoint, bucket, timeouts, concurrency),
    openDirectly: (bucket) => create(moto.endpoint, bucket),
    async stop() {
      await proxy.stop()
      await moto.stop()
    },
  }
}

export interface TestTree {
  readonly layout: Layout
  readonly ledger: Ledger
  readonly variants: readonly WrittenVariant[]
  readonly objects: number
}

/** @param version names the tree's keys, so that trees may share a bucket */
export async function makeTree(
  out: string,
  version: string,
  size: { variants: number; steps: number; bytes?: number; mark?: string },
): Promise<TestTree> {
  const layout = createLayout({ out, root: 'foigoi', version })
  const ledger = await openLedger(layout.state.ledgerPath)
  const variants: WrittenVariant[] = []
  for (let i = 0; i < size.variants; i++) {
    const { steps, bytes, mark } = size
    variants.push(await writeTestVariant(layout, `dawn/seed-${i}`, { steps, bytes, mark }, ledger))
  }
  const objects = variants.reduce((sum, variant) => sum + variant.files.length, 0)
  return { layout, ledger, variants, objects }
}

/** Sends a tree and its manifest. */
export async function sendTree(tree: TestTree, storage: Storage, options: Partial<UploaderOptions> = {}) {
  const events: UploadEvent[] = []
  const { ledger, layout } = tree
  const uploader = createUploader({
    storage,
    ledger,
    prefix: layout.prefix,
    emit: (event) => void events.push(event),
    ...options,
  })
  for (const variant of tree.variants) void uploader.add(variant)
  uploader.setManifest(layout.manifestKey, Buffer.from(`{"version":"${layout.prefix}"}`))
  const summary = await uploader.drain()
  return { ...summary, events }
}

/** Every file of the tree stands in the bucket, byte for byte. */
export async function expectWholeInBucket(tree: TestTree, storage: Storage): Promise<void> {
  const stored = new Map<string, string | null>()
  for await (const { key, md5 } of storage.list(`${tree.layout.prefix}/`)) stored.set(key, md5)
  for (const { key, folder, files } of tree.variants) {
    for (const { name } of files) {
      const md5 = createHash('md5')
        .update(await readFile(join(folder, name)))
        .digest('hex')
      expect([`${key}/${name}`, stored.get(`${key}/${name}`)]).toEqual([`${key}/${name}`, md5])
    }
  }
}

/**
 * Where a marker stands in the bucket, every object of its variant stands there too, whole, and all of one making.
 * @param trees the makings that a variant may be of
 * @returns markers found
 */
export async function expectMarkersTrueInBucket(
  trees: readonly TestTree[],
  storage: Storage,
): Promise<number> {
  const prefix = trees[0]?.layout.prefix ?? ''
  const stored = new Map<string, string | null>()
  for await (const { key, md5 } of storage.list(`${prefix}/`)) stored.set(key, md5)
  let markers = 0
  for (const key of stored.keys()) {
    if (!key.endsWith('/timing.json')) continue
    markers += 1
    const folder = key.slice(0, -'/timing.json'.length)
    const timing = parseTiming(Buffer.from((await storage.get(key)) ?? []).toString('utf8'), key)
    const makings = trees.map((tree) => tree.variants.find((variant) => variant.key === folder)?.files ?? [])
    const sums = await Promise.all(
      ['final.png', ...Array.from({ length: timingSteps(timing) }, (_, i) => `${i + 1}.png`)].map(
        async (name) => {
          const body = await storage.get(`${folder}/${name}`)
          return [name, body && createHash('sha256').update(body).digest('hex')] as const
        },
      ),
    )
    const isOf = (files: (typeof makings)[number]) =>
      sums.every(([name, sha256]) => files.find((file) => file.name === name)?.sha256 === sha256)
    expect([folder, makings.some(isOf)]).toEqual([folder, true])
  }
  return markers
}
