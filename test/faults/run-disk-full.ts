/** Promise 3 in the real process: a disk that fills anywhere is told with the path, and a rerun completes. */
import { spawnSync } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import {
  expectMarkersTrue,
  expectNoLeftovers,
  pictureHashes,
  type RunResult,
  runSheet,
  runWhole,
  tinySheet,
  writeSheet,
} from '../support/runs.ts'
import { createRandom } from '../support/seed.ts'

const random = createRandom('fill the disk of a run')

const SHEET = tinySheet({
  programs: { P0: {}, P1: { previews: { method: 'latent2rgb', size: 'image' }, thumbnail: true } },
  cues: {
    storm: { program: 'P0', prompt: 'sea at night', seeds: [1, 2] },
    dawn: { program: 'P1', prompt: 'misty mountains', seeds: [3, 4] },
  },
})
const ARGS = ['--dry-run', '--live-file']
const PAGE = 4096
// The ledger, the manifest and the markers hold times: a digit more or less may move the end of each by a page.
const SLACK_PAGES = 4

interface DiskStage {
  readonly sheet: string
  readonly pictures: ReadonlyMap<string, string>
}

async function prepare(folder: string): Promise<DiskStage> {
  const sheet = await writeSheet(folder, SHEET)
  const whole = join(folder, 'whole')
  await runWhole(sheet, whole, ARGS)
  return { sheet, pictures: await pictureHashes(whole) }
}

function expectTold(result: RunResult, out: string): void {
  const told = result.stdout + result.stderr
  expect([told, result.status]).toEqual([told, 3])
  expect(told).toContain(`no space left to write ${out}`)
}

async function mend({ sheet, pictures }: DiskStage, out: string): Promise<void> {
  await expectMarkersTrue(out)
  await runWhole(sheet, out, ARGS)
  expect(await pictureHashes(out)).toEqual(pictures)
  await expectMarkersTrue(out)
  await expectNoLeftovers(out)
}

export interface DiskFullCounts {
  /** Offsets on a small file system that was full. */
  readonly tmpfs: number
  /** Offsets at which the kernel's limit on the size of a file struck. */
  readonly limited: number
}

/**
 * Fills a small file system up to so many pages before the end; where none may be mounted, all offsets are the
 * kernel's own limit on the size of a file instead.
 */
export async function fillAnywhere(folder: string, offsets: number): Promise<DiskFullCounts> {
  const stage = await prepare(folder)
  const mount = join(folder, 'tmpfs')
  await mkdir(mount)
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', mount]).status === 0
  const limited = isMounted ? Math.max(1, Math.round(offsets / 10)) : offsets
  const tmpfs = offsets - limited
  try {
    const pages = isMounted ? (await pagesOfWholeRun(stage, mount)) - SLACK_PAGES : 0
    for (let i = 0; i < tmpfs; i++) {
      await fillOnce(stage, mount, PAGE * Math.floor((pages * (i + random())) / tmpfs))
    }
  } finally {
    if (isMounted) expect(spawnSync('umount', [mount]).status).toBe(0)
  }
  for (let i = 0; i < limited; i++) await limitOnce(stage, join(folder, `limited-${i}`), 1 + (i % 9))
  return { tmpfs, limited }
}

/** What a whole run leaves on that file system, in pages: less room than this can't be enough. */
async function pagesOfWholeRun(stage: DiskStage, mount: string): Promise<number> {
  const out = join(mount, 'out')
  const before = await freeBytes(mount)
  await runWhole(stage.sheet, out, ARGS)
  const used = before - (await freeBytes(mount))
  await rm(out, { recursive: true })
  expect(used).toBeGreaterThan(20 * PAGE)
  return used / PAGE
}

async function freeBytes(mount: string): Promise<number> {
  const { bavail, bsize } = await statfs(mount)
  return bavail * bsize
}

async function fillOnce(stage: DiskStage, mount: string, bytesLeft: number): Promise<void> {
  const out = join(mount, 'out')
  const ballast = join(mount, 'ballast')
  await mkdir(out)
  await writeFile(ballast, Buffer.alloc((await freeBytes(mount)) - bytesLeft))
  expectTold(await runSheet(stage.sheet, out, ARGS), out)
  await rm(ballast)
  await mend(stage, out)
  await rm(out, { recursive: true })
}

/** No file may grow beyond so many KiB: pictures and ledger are larger. */
async function limitOnce(stage: DiskStage, out: string, kib: number): Promise<void> {
  expectTold(await runSheet(stage.sheet, out, ARGS, { shell: `ulimit -f ${kib}` }), out)
  await mend(stage, out)
}
