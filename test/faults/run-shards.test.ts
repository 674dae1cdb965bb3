import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { runCli } from '../support/cli.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import {
  BUCKET_ENV,
  expectNoLeftovers,
  pictureHashes,
  runWhole,
  tinySheet,
  unitsOf,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
let moto: MotoServer

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
}, 600_000)
afterAll(() => moto.stop())

const PROGRAMS = { P0: {}, P1: { previews: { method: 'latent2rgb' } } }
const CUES = {
  storm: { program: 'P0', prompt: 'sea at night', seeds: [1, 2, 3] },
  dawn: { program: 'P1', prompt: 'misty mountains', seeds: [4, 5, 6, 7] },
}
const UNITS = 7

describe('promise 13: shards', () => {
  it('as a flag and as three batch systems number them: disjoint, complete, one manifest', async () => {
    const storage = { bucket: 'show', endpoint: moto.endpoint }
    const sheet = await writeSheet(scratch.folder, tinySheet({ programs: PROGRAMS, cues: CUES, storage }))
    const machines: [args: string[], env: Record<string, string>][] = [
      [['--shard', '1/4'], {}],
      [['--shard-total', '4'], { JOB_COMPLETION_INDEX: '1' }],
      [[], { CI_NODE_INDEX: '3', CI_NODE_TOTAL: '4' }],
      [['--shard-total', '4'], { AWS_BATCH_JOB_ARRAY_INDEX: '3' }],
    ]
    const drawn: string[] = []
    const pictures = new Map<string, string>()
    for (const [i, [args, env]] of machines.entries()) {
      const out = join(scratch.folder, `machine-${i}`)
      const { events } = await runWhole(sheet, out, args, { env: { ...BUCKET_ENV, ...env } })
      expect(events[0]).toMatchObject({ type: 'run-planned', shard: `${i + 1}/4` })
      drawn.push(...unitsOf(events, 'unit-finished'))
      for (const [path, hash] of await pictureHashes(out)) {
        expect(pictures.has(path)).toBe(false)
        pictures.set(path, hash)
      }
      await expectNoLeftovers(out)
    }
    // The bucket holds more than a shard made, and one manifest of all.
    for (const i of machines.keys()) {
      const verified = await runCli(['verify', join(scratch.folder, `machine-${i}`), '--bucket'], {
        env: BUCKET_ENV,
      })
      expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('in the bucket: whole')])
    }
    const all = Object.entries(CUES).flatMap(([cue, { seeds }]) => seeds.map((seed) => `${cue}/seed-${seed}`))
    expect(drawn.sort()).toEqual(all.sort())

    const whole = join(scratch.folder, 'whole')
    await runWhole(sheet, whole, ['--dry-run'])
    expect(new Map([...pictures].sort())).toEqual(new Map([...(await pictureHashes(whole))].sort()))

    const bucket = createS3Storage({ ...storage, credentials: TEST_CREDENTIALS })
    const manifest = Buffer.from((await bucket.get('foigoi/v1/manifest.json')) ?? []).toString('utf8')
    const { assets } = parseManifest(manifest, 'manifest.json')
    expect(assets.map(({ cue, variant }) => `${cue}/${variant}`).sort()).toEqual(all.sort())
    expect(assets.map(({ metadata }) => metadata.asset_index).sort()).toEqual([...Array(UNITS).keys()])
    const keys: string[] = []
    for await (const { key } of bucket.list('foigoi/v1/')) keys.push(key)
    // Files, a record a unit, and the manifest.
    expect(keys.length).toBe(3 + 4 * 5 + UNITS + 1)
    await bucket.close()
  }, 600_000)

  it('that end at the same moment lose no line of the one manifest, nor does a later upload of one folder', async () => {
    const proxy = await startFaultProxy(moto.endpoint)
    try {
      const storage = { bucket: 'show', endpoint: proxy.endpoint }
      const sheet = await writeSheet(
        scratch.folder,
        tinySheet({ version: 'race', programs: PROGRAMS, cues: { storm: CUES.storm }, storage }),
        'race.yaml',
      )
      // Neither shard learns what stands there before both have asked; PUTs go to the server one by one.
      let open: () => void = () => undefined
      const bothAsked = new Promise<void>((resolve) => {
        open = resolve
      })
      let turn: Promise<unknown> = Promise.resolve()
      let readers = 0
      let puts = 0
      proxy.setHold(({ method, path }) => {
        if (!path.endsWith('/race/manifest.json')) return
        if (method === 'PUT') {
          puts += 1
          const mine = turn
          turn = mine.then(() => sleep(50)).then(() => proxy.settled())
          return mine.then(() => undefined)
        }
        readers += 1
        if (readers === 2) open()
        return bothAsked
      })
      const outs = ['1', '2'].map((part) => join(scratch.folder, `race-${part}`))
      await Promise.all(
        outs.map((out, i) => runWhole(sheet, out, ['--shard', `${i + 1}/2`], { env: BUCKET_ENV })),
      )
      const bucket = createS3Storage({ ...storage, endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
      const lines = async () => {
        const manifest = Buffer.from((await bucket.get('foigoi/race/manifest.json')) ?? []).toString('utf8')
        return parseManifest(manifest, 'manifest.json').assets.map(({ variant }) => variant)
      }
      expect(await lines()).toEqual(['seed-1', 'seed-2', 'seed-3'])
      // Both had read nothing, so one PUT was refused and made anew.
      expect(puts).toBe(3)

      for (const out of outs) {
        const { code, stderr } = await runCli(['upload', out, '--verify-remote'], { env: BUCKET_ENV })
        expect([code, stderr]).toEqual([0, expect.stringContaining('0 failed')])
        expect(await lines()).toEqual(['seed-1', 'seed-2', 'seed-3'])
      }
      await bucket.close()
    } finally {
      await proxy.stop()
    }
  }, 600_000)

  it.each(['0/4', '5/4', '1/0', 'x'])(
    'refuses %s before anything else',
    async (shard) => {
      const { code, stderr } = await runCli(['plan', 'no-such-sheet.yaml', '--shard', shard])
      expect(code).toBe(2)
      expect(stderr).toContain('E_BAD_SHARD')
    },
    600_000,
  )
})
