import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createS3Storage } from '../../src/storage/s3.ts'
import { runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, filesBelow, runWhole, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
let moto: MotoServer

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
}, 600_000)
afterAll(() => moto.stop())

it('a variant that the sheet has no more is told, not sent, and removed when asked', async () => {
  const storage = { bucket: 'show', endpoint: moto.endpoint }
  const sheetOf = (seeds: number[]) =>
    writeSheet(
      scratch.folder,
      tinySheet({
        ...{ programs: { P1: { previews: { method: 'latent2rgb' } } }, storage },
        cues: { sea: { program: 'P1', prompt: 'sea', seeds } },
      }),
    )
  const out = join(scratch.folder, 'out')
  await runWhole(await sheetOf([1, 2]), out, [], { env: BUCKET_ENV })
  const sheet = await sheetOf([1])
  await runWhole(sheet, out, [], { env: BUCKET_ENV })
  const pregen = (...args: string[]) => runCli(args, { env: BUCKET_ENV })
  const stray = 'no longer in the sheet'
  expect((await pregen('plan', sheet, '--out', out)).stdout).toContain(`${stray}  foigoi/v1/cues/sea/seed-2`)
  expect((await pregen('verify', out)).stdout).toContain(stray)
  const upload = await pregen('upload', out, '--verify-remote')
  expect([upload.code, upload.stderr]).toEqual([3, expect.stringContaining('--all sends it all the same')])
  expect((await pregen('upload', out, '--all')).code).toBe(0)

  const bucket = createS3Storage({ ...storage, credentials: TEST_CREDENTIALS })
  const keys = async () => {
    const found: string[] = []
    for await (const { key } of bucket.list('foigoi/v1/')) found.push(key)
    return found
  }
  const before = [await keys(), await filesBelow(out)]
  const told = await pregen('prune', sheet, '--out', out)
  expect([told.code, told.stdout]).toEqual([0, expect.stringContaining('1 variant on disk, 1 in the bucket')])
  expect([await keys(), await filesBelow(out)]).toEqual(before)
  const pruned = await pregen('prune', sheet, '--out', out, '--yes')
  expect([pruned.code, pruned.stdout]).toEqual([0, expect.stringContaining(': removed')])
  const [left, files] = [await keys(), await filesBelow(out)]
  expect([...left, ...files].filter((key) => key.includes('seed-2'))).toEqual([])
  expect(left.filter((key) => key.includes('/.units/'))).toHaveLength(1)
  expect((await pregen('verify', out, '--bucket')).code).toBe(0)
  await bucket.close()
}, 120_000)
