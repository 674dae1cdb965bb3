/** Spot machines: shards that are killed again and again, each time on an empty folder, with nothing but the bucket. */
import { join } from 'node:path'
import { expect } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type MotoServer, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, runWhole, type Sheet, unitsOf, writeSheet } from '../support/runs.ts'

export interface SpotResult {
  readonly units: number
  readonly kills: number
  readonly drawn: number
  /** Of a last run on an empty folder. */
  readonly last: { readonly drawn: number; readonly requests: number; readonly puts: number }
}

/**
 * @param sheet without `storage`; its bucket must be there
 * @param killsAShard machines that a shard loses; each gets to its second unit before
 */
export async function drawOnSpotMachines(
  moto: MotoServer,
  folder: string,
  {
    sheet,
    bucket,
    shards,
    killsAShard,
  }: { sheet: Sheet; bucket: string; shards: number; killsAShard: number },
): Promise<SpotResult> {
  const path = await writeSheet(
    folder,
    { ...sheet, storage: { bucket, endpoint: moto.endpoint } },
    `${bucket}.yaml`,
  )
  let drawn = 0
  let kills = 0
  let machines = 0
  for (let shard = 1; shard <= shards; shard++) {
    for (let life = 0; life <= killsAShard; life++) {
      const out = join(folder, `${bucket}-${machines++}`)
      let text = ''
      const isKilled = life < killsAShard
      const run = await runSheet(path, out, ['--shard', `${shard}/${shards}`], {
        env: BUCKET_ENV,
        onStdout(some, child) {
          text += some
          if (isKilled && text.split('"type":"unit-started"').length > 3) child.kill('SIGKILL')
        },
      })
      kills += run.status === 137 ? 1 : 0
      if (!isKilled) expect([run.status, run.stderr]).toEqual([0, ''])
      drawn += unitsOf(run.events, 'unit-finished').length
    }
  }
  const proxy = await startFaultProxy(moto.endpoint)
  try {
    const storage = { bucket, endpoint: proxy.endpoint }
    const last = await writeSheet(folder, { ...sheet, storage }, `${bucket}-last.yaml`)
    const run = await runWhole(last, join(folder, `${bucket}-last`), [], { env: BUCKET_ENV })
    const requests = [...proxy.requests.values()].reduce((sum, count) => sum + count, 0)
    const [planned] = run.events
    if (planned?.type !== 'run-planned') throw new Error('the run planned nothing')
    await expectWholeManifest(moto, bucket, planned.units)
    const figures = { drawn: unitsOf(run.events, 'unit-finished').length, requests, puts: proxy.total('PUT') }
    return { units: planned.units, kills, drawn, last: figures }
  } finally {
    await proxy.stop()
  }
}

/** Every unit, though the machines that drew most of them never came to write a manifest. */
export async function expectWholeManifest(moto: MotoServer, bucket: string, units: number): Promise<void> {
  const storage = createS3Storage({ bucket, endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
  const keys: string[] = []
  for await (const { key } of storage.list('foigoi/')) keys.push(key)
  const at = keys.find((key) => key.endsWith('/manifest.json')) ?? ''
  const manifest = parseManifest(Buffer.from((await storage.get(at)) ?? []).toString('utf8'), at)
  expect(manifest.assets.map(({ metadata }) => metadata.asset_index)).toEqual([...Array(units).keys()])
  expect(keys.filter((key) => key.includes('/.units/'))).toHaveLength(units)
  await storage.close()
}
