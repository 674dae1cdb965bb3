import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { acquireLock } from '../../src/artifacts/lock.ts'
import { runCli } from '../support/cli.ts'
import { BUCKET_ENV, runWhole, statusOf, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const out = join(scratch.folder, 'out')
let sheet: string

beforeAll(async () => {
  sheet = await writeSheet(
    scratch.folder,
    tinySheet({
      programs: { P0: {} },
      cues: { storm: { program: 'P0', prompt: 'sea', seeds: [1, 2, 3, 4] } },
    }),
  )
  await runWhole(sheet, out, ['--dry-run'])
}, 600_000)

it('verify --bucket says soon that nobody answers', async () => {
  const storage = { bucket: 'show', endpoint: 'http://127.0.0.1:9' }
  const cues = { storm: { program: 'P0', prompt: 'sea', seeds: [1, 2, 3, 4] } }
  const told = await writeSheet(scratch.folder, tinySheet({ programs: { P0: {} }, cues, storage }), 'b.yaml')
  const started = performance.now()
  const { code, stderr } = await runCli(['verify', out, '--bucket', '--sheet', told], { env: BUCKET_ENV })
  expect([code, stderr]).toEqual([2, expect.stringContaining('E_WRONG_ENDPOINT')])
  expect(performance.now() - started).toBeLessThan(40_000)
}, 600_000)

it('verify says when faults may be a run’s work in hand', async () => {
  const picture = join(out, 'foigoi/v1/cues/storm/seed-2/final.png')
  const bytes = await readFile(picture)
  await rm(picture)
  const lock = await acquireLock(join(out, '.pregen/lock'))
  const during = await runCli(['verify', out])
  await lock.release()
  const after = await runCli(['verify', out])
  await writeFile(picture, bytes)
  for (const { code, stdout } of [during, after]) {
    expect([code, stdout]).toEqual([3, expect.stringContaining('seed-2/final.png')])
  }
  expect([during.stderr, after.stderr]).toEqual([expect.stringMatching(/^A run is at work .*\n$/), ''])
}, 600_000)

describe('verify --rerender', () => {
  it('draws units again and finds them the same', async () => {
    const { code, stdout, stderr } = await runCli(['verify', out, '--rerender', '2', '--sheet', sheet])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/: whole\nsame {2}storm\/seed-1 .*\nsame {2}storm\/seed-4 .*\n$/)
  }, 600_000)

  it('with --json is one document, the pictures drawn again in it', async () => {
    const args = ['verify', out, '--json', '--rerender', '1', '--sheet', sheet]
    const { code, stdout } = await runCli(args)
    expect(code).toBe(0)
    const difference = { largest: 0, share: 0 }
    expect(JSON.parse(stdout)).toMatchObject({
      problems: [],
      rerendered: [{ unit: 'storm/seed-1', difference, same: true }],
    })
    expect(JSON.parse((await runCli(['verify', out, '--json'])).stdout)).toMatchObject({ rerendered: null })
  }, 600_000)

  it('without a sheet is bad usage, told before the tree is read', async () => {
    const { code, stdout, stderr } = await runCli(['verify', join(out, 'nowhere'), '--rerender', '2'])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('E_NO_SHEET')
  })

  it('stops for a signal as a run does, and leaves nothing behind', async () => {
    const env = { TMPDIR: scratch.folder }
    let sent = false
    const result = await runCli(['verify', out, '--rerender', '4', '--sheet', sheet], {
      env,
      onStdout(text, child) {
        if (!text.includes('whole')) return
        setTimeout(() => {
          sent = child.kill('SIGINT')
        }, 200)
      },
    })
    expect(sent).toBe(true)
    expect(statusOf(result)).toBe(130)
    expect(result.stderr).toContain('SIGINT')
    expect(result.stdout).not.toContain('DIFFERS')
    const left = await readdir(scratch.folder)
    expect(left.filter((name) => name.startsWith('pregen-rerender-'))).toEqual([])
  }, 600_000)
})
