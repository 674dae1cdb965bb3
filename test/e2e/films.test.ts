/** Films that a sheet asks for, with a real bucket: sent, made whole after a kill, removed with the variant that they are of. */
import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hashBytes } from '../../src/artifacts/file-state.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, runWhole, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const { folder } = createScratch()
const out = join(folder, 'out')
let moto: MotoServer

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
}, 600_000)
afterAll(() => moto.stop())

const sheetOf = (seeds: readonly number[]) =>
  writeSheet(
    folder,
    tinySheet({
      programs: { P1: { previews: { method: 'latent2rgb' }, film: 'webp' } },
      storage: { bucket: 'show', endpoint: moto.endpoint, prefix: 'stage' },
      cues: {
        sea: { program: 'P1', prompt: 'sea', seeds },
        land: { program: 'P1', prompt: 'land', seeds: [7], film: { format: 'mp4', fps: 24 } },
      },
    }),
  )

async function stored(): Promise<
  ReadonlyMap<string, { readonly md5: string | null; readonly bytes: number }>
> {
  const bucket = createS3Storage({
    ...{ bucket: 'show', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS },
  })
  const found = new Map<string, { md5: string | null; bytes: number }>()
  for await (const { key, md5, sizeBytes } of bucket.list('stage/films/')) {
    found.set(key, { md5, bytes: sizeBytes })
  }
  await bucket.close()
  return found
}

it('films of a sheet are sent, made whole after a kill, and pruned with their variants', async () => {
  const sheet = await sheetOf([1, 2, 3])
  // Killed when the first film is there, at the earliest moment at which a reader can know.
  let isKilled = false
  const killed = await runSheet(sheet, out, [], {
    env: BUCKET_ENV,
    onStdout(text, child) {
      if (isKilled || !text.includes('"type":"film-made"')) return
      isKilled = true
      child.kill('SIGKILL')
    },
  })
  expect([isKilled, killed.status]).toEqual([true, 137])
  const again = await runWhole(sheet, out, [], { env: BUCKET_ENV })
  expect(again.events.at(-1)).toMatchObject({ done: 0, skipped: 4, failed: 0 })
  const names = ['land/seed-7.mp4', 'sea/seed-1.webp', 'sea/seed-2.webp', 'sea/seed-3.webp']
  const there = await stored()
  expect([...there.keys()]).toEqual(names.map((name) => `stage/films/v1/${name}`))
  for (const name of names) {
    const bytes = readFileSync(join(out, 'films/v1', name))
    const md5 = hashBytes(bytes, 'md5')
    expect(there.get(`stage/films/v1/${name}`)).toEqual({ md5, bytes: bytes.byteLength })
  }
  expect((await runCli(['verify', out, '--bucket'], { env: BUCKET_ENV })).code).toBe(0)

  const idle = await runWhole(sheet, out, [], { env: BUCKET_ENV })
  expect(idle.events.map(({ type }) => type)).not.toContain('film-made')

  // A film by hand, of what stays, and one of several: neither is a sheet's to remove.
  const byHand = await runCli(['film', out, '--cue', 'sea', '--variant', 'seed-1', '--format', 'gif'])
  const grid = await runCli(['film', out, '--cue', 'sea', '--grid', '--format', 'gif'])
  expect([byHand.code, grid.code]).toEqual([0, 0])
  const frames = await runCli(['film', out, '--variant', 'seed-3', '--format', 'frames', '--fps', '5'])
  expect(frames.code).toBe(0)

  const shorter = await sheetOf([1])
  const told = await runCli(['prune', shorter, '--out', out], { env: BUCKET_ENV })
  expect(told.stdout).toContain('; 3 films on disk, 2 in the bucket: --yes removes them')
  expect((await stored()).size).toBe(4)
  const pruned = await runCli(['prune', shorter, '--out', out, '--yes'], { env: BUCKET_ENV })
  expect([pruned.code, pruned.stderr]).toEqual([0, ''])
  expect([...(await stored()).keys()]).toEqual([
    'stage/films/v1/land/seed-7.mp4',
    'stage/films/v1/sea/seed-1.webp',
  ])
  expect((await readdir(join(out, 'films/v1/sea'))).sort()).toEqual(['seed-1.gif', 'seed-1.webp'])
  expect(existsSync(join(out, 'films/v1/sea.gif'))).toBe(true)
  const nothing = await runCli(['prune', shorter, '--out', out], { env: BUCKET_ENV })
  expect(nothing.stdout).toBe('v1: 0 variants on disk, 0 in the bucket, no longer in the sheet\n')
}, 180_000)
