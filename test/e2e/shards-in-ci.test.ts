import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runWhole, tinySheet, unitsOf, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
let moto: MotoServer

beforeAll(async () => {
  moto = await startMoto()
  for (const name of ['with-state', 'without-state']) await moto.createBucket(name)
}, 600_000)
afterAll(() => moto.stop())

const SHEET = { programs: { P0: {} }, cues: { sea: { program: 'P0', prompt: 'sea', seeds: [1, 2, 3] } } }

describe("GitLab's parallel matrix", () => {
  const env = { CI: 'true', CI_NODE_INDEX: '1', CI_NODE_TOTAL: '2' }

  it('never draws a part of its sheet without a loud word, and all of it with --shard 1/1', async () => {
    const sheet = await writeSheet(scratch.folder, tinySheet(SHEET))
    const part = await runCli(['plan', sheet, '--out', join(scratch.folder, 'a')], { env })
    expect(part.stderr).toContain('W_SHARD_AUTOMATIC')
    expect(part.stderr).toContain('CI_NODE_INDEX=1 and CI_NODE_TOTAL=2: this job does shard 1/2')
    expect(part.stderr).toContain('2 of 3 units')
    const all = ['plan', sheet, '--json', '--shard', '1/1', '--out', join(scratch.folder, 'a')]
    const whole = await runCli(all, { env })
    expect([whole.stderr, JSON.parse(whole.stdout)]).toMatchObject([
      '',
      { shard: null, totals: { units: 3 } },
    ])
  })
})

describe("several shards' trees copied into one", () => {
  it.each(['with-state', 'without-state'])(
    'are uploaded whole, every line in the manifest (%s)',
    async (bucket) => {
      const storage = { bucket, endpoint: moto.endpoint }
      const sheet = await writeSheet(scratch.folder, tinySheet({ ...SHEET, storage }), `${bucket}.yaml`)
      const out = join(scratch.folder, bucket)
      for (const shard of ['1/2', '2/2']) {
        const part = join(scratch.folder, `${bucket}-${shard[0]}`)
        const { events } = await runWhole(sheet, part, ['--dry-run', '--shard', shard])
        expect(unitsOf(events, 'unit-finished').length).toBeGreaterThan(0)
        if (bucket === 'without-state') await rm(join(part, '.pregen'), { recursive: true })
        await cp(part, out, { recursive: true })
      }
      const verified = await runCli(['verify', out])
      expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('3 variants')])
      const uploaded = await runCli(['upload', out, '--sheet', sheet], { env: BUCKET_ENV })
      expect([uploaded.code, uploaded.stderr]).toEqual([0, expect.stringContaining('0 failed')])
      const store = createS3Storage({ ...storage, credentials: TEST_CREDENTIALS })
      const text = Buffer.from((await store.get('foigoi/v1/manifest.json')) ?? []).toString('utf8')
      expect(parseManifest(text, 'manifest.json').assets.map(({ variant }) => variant)).toEqual([
        'seed-1',
        'seed-2',
        'seed-3',
      ])
      await store.close()
    },
    120_000,
  )
})
