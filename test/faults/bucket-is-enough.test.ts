import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createS3Storage } from '../../src/storage/s3.ts'
import { runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, pictureHashes, runWhole, tinySheet, unitsOf, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { drawOnSpotMachines } from './bucket-is-enough.ts'

const scratch = createScratch()
let moto: MotoServer

beforeAll(async () => {
  moto = await startMoto()
  for (const name of ['spot', 'pull']) await moto.createBucket(name)
}, 600_000)
afterAll(() => moto.stop())

const PROGRAMS = { P0: {}, P1: { previews: { method: 'latent2rgb' } } }

describe('a machine with an empty folder', () => {
  it('draws what the bucket lacks and no more, whatever became of those before it', async () => {
    const cues = {
      storm: { program: 'P0', prompt: 'sea at night', seeds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] },
    }
    const sheet = tinySheet({ programs: PROGRAMS, cues })
    const how = { sheet, bucket: 'spot', shards: 3, killsAShard: 2 }
    const { units, kills, drawn, last } = await drawOnSpotMachines(moto, scratch.folder, how)
    expect([units, kills]).toEqual([12, 6])
    expect(drawn).toBeLessThanOrEqual(units + kills)
    expect(last).toMatchObject({ drawn: 0, puts: 0 })
    expect(last.requests).toBeLessThanOrEqual(20)
  }, 600_000)

  it('is told by plan, brings the files down if asked, and believes no object that is another', async () => {
    const storage = { bucket: 'pull', endpoint: moto.endpoint }
    const cues = { dawn: { program: 'P1', prompt: 'misty mountains', seeds: [4, 5] } }
    const sheet = await writeSheet(
      scratch.folder,
      tinySheet({ programs: PROGRAMS, cues, storage }),
      'pull.yaml',
    )
    const at = (name: string) => join(scratch.folder, name)
    await runWhole(sheet, at('first'), [], { env: BUCKET_ENV })

    const plan = async (...args: string[]) =>
      (await runCli(['plan', sheet, '--out', at('none'), ...args], { env: BUCKET_ENV })).stdout
    expect(await plan()).toContain('the bucket was not asked')
    const asked = await plan('--fetch')
    expect(asked.split('whole in the bucket')).toHaveLength(3)
    expect(asked).not.toContain('not asked')

    const pulled = await runWhole(sheet, at('second'), ['--pull'], { env: BUCKET_ENV })
    expect(pulled.events.flatMap((event) => (event.type === 'unit-skipped' ? [event.reason] : []))).toEqual(
      Array(2).fill('pulled from the bucket'),
    )
    expect(await pictureHashes(at('second'))).toEqual(await pictureHashes(at('first')))
    expect(await readFile(at('second/foigoi/v1/manifest.json'))).toEqual(
      await readFile(at('first/foigoi/v1/manifest.json')),
    )
    for (const args of [
      ['verify', at('second'), '--bucket'],
      ['verify', at('first'), '--bucket'],
    ]) {
      const verified = await runCli(args, { env: BUCKET_ENV })
      expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('in the bucket: whole')])
    }

    const bucket = createS3Storage({ ...storage, credentials: TEST_CREDENTIALS })
    const key = 'foigoi/v1/cues/dawn/seed-4/2.png'
    const body = await bucket.get(key)
    await bucket.put({
      key,
      body: Buffer.from(body ?? []).reverse(),
      contentType: 'image/png',
      cacheControl: '',
    })
    const mended = await runWhole(sheet, at('third'), [], { env: BUCKET_ENV })
    expect(unitsOf(mended.events, 'unit-finished')).toEqual(['dawn/seed-4'])
    expect(Buffer.from((await bucket.get(key)) ?? [])).toEqual(Buffer.from(body ?? []))
    await bucket.close()
    // Neither under --force, nor on a dry run.
    for (const args of [['--force'], ['--dry-run']]) {
      await rm(at('fourth'), { recursive: true, force: true })
      const { events } = await runWhole(sheet, at('fourth'), args, { env: BUCKET_ENV })
      expect(unitsOf(events, 'unit-finished')).toHaveLength(2)
    }
  }, 600_000)
})
