/** Promise 3: a disk that fills at any byte ends the work with the path, and a rerun completes it. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { WritableFileSystem } from '../../src/artifacts/durable-write.ts'
import { inspectFiles } from '../../src/artifacts/file-state.ts'
import { openLedger } from '../../src/artifacts/ledger.ts'
import { timingOf } from '../../src/artifacts/timing.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'
import { PregenError } from '../../src/errors.ts'
import { compileSource } from '../support/child.ts'
import { createQuotaFileSystem } from '../support/quota.ts'
import {
  expectMarkersTrue,
  expectNoTemporaryFiles,
  RENDER_SCRIPT,
  treeHashes,
} from '../support/render-child.ts'
import { createRandom } from '../support/seed.ts'
import { contentOf, testLayout } from '../support/variants.ts'

const random = createRandom('fill the disk of a writer')

const VARIANTS = 3
const STEPS = 3
const FILE_BYTES = 1000

/** Fills the disk at exact byte offsets, spread over the whole set and drawn at random within each part. */
export async function fillAtOffsets(folder: string, offsets: number): Promise<void> {
  const total = VARIANTS * (STEPS + 1) * FILE_BYTES
  const whole = join(folder, 'whole')
  await writeSet(whole)
  const expected = await treeHashes(whole)
  for (let i = 0; i < offsets; i++) {
    const out = join(folder, `full-${i}`)
    const bytes = Math.floor((total * (i + random())) / offsets)
    try {
      await writeSet(out, createQuotaFileSystem({ bytes }))
      expect.unreachable(`${bytes} bytes were enough`)
    } catch (error) {
      if (!(error instanceof PregenError)) throw error
      expect([error.code, error.exitCode]).toEqual(['E_DISK_FULL', 3])
      expect(error.message).toContain(join(out, 'foigoi/v1/cues/dawn/seed-'))
    }
    await expectMarkersTrue(out, VARIANTS)
    await expectNoTemporaryFiles(out)
    await writeSet(out)
    expect(await treeHashes(out)).toEqual(expected)
    await rm(out, { recursive: true })
  }
}

async function writeSet(out: string, fileSystem?: WritableFileSystem): Promise<void> {
  const layout = testLayout(out)
  await mkdir(out, { recursive: true })
  const ledger = await openLedger(layout.state.ledgerPath)
  try {
    for (let i = 0; i < VARIANTS; i++) {
      const variant = `seed-${i}`
      const key = layout.variantKey('dawn', variant)
      const folder = layout.variantFolder('dawn', variant)
      const known = ledger.units.get(key)
      if (known && (await inspectFiles(folder, known.files)).every(({ fault }) => fault === null)) continue
      const writer = await createVariantWriter({ out, folder, fileSystem })
      for (let step = 1; step <= STEPS; step++) {
        await writer.writeStep(step, contentOf(`${variant}/${step}`, 'a', FILE_BYTES))
      }
      await writer.writeFinal(contentOf(`${variant}/final`, 'a', FILE_BYTES))
      const files = await writer.finish(timingOf([1, 2, 3], 4))
      await ledger.recordUnit(key, { digest: 'd', parts: {}, files })
    }
  } finally {
    await ledger.close()
  }
}

/** The kernel's own limit on a file's size, in a process of its own: exit code and message, then a rerun. */
export async function fillByFileLimit(folder: string): Promise<void> {
  const source = await compileSource(['artifacts', 'images'])
  try {
    const argv = [folder, '2', '2', '', '0']
    // 2 KiB: less than a picture of noise takes. The signal is ignored, so that the write itself fails.
    const limited = await source.start(RENDER_SCRIPT, argv, { shell: "trap '' XFSZ; ulimit -f 2" }).ended
    expect(limited.code).toBe(3)
    expect(limited.stderr).toContain('E_DISK_FULL: no space left to write')
    expect(limited.stderr).toContain(join(folder, 'foigoi/v1/cues/dawn/seed-0/'))
    await expectNoTemporaryFiles(folder)
    expect((await source.start(RENDER_SCRIPT, argv).ended).code).toBe(0)
    await expectMarkersTrue(folder, 2)
    expect((await treeHashes(folder)).size).toBe(8)
  } finally {
    await source.remove()
  }
}

/**
 * A real, small file system that is full (Linux, with user namespaces): ballast leaves so many bytes, the run must
 * fail with the path; the ballast goes, and the rerun must complete.
 */
export async function fillTmpfs(folder: string, offsets: number): Promise<{ readonly failed: number }> {
  const source = await compileSource(['artifacts', 'images'])
  const mount = join(folder, 'tmpfs')
  await mkdir(mount)
  try {
    const script = `
      import { spawnSync } from 'node:child_process'
      import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
      const [mount, render, offsets, ...parts] = process.argv.slice(2)
      const run = () => spawnSync(process.execPath, ['--no-warnings', render, mount + '/out', '3', '3', '', '0'], { encoding: 'utf8' })
      const files = () => readdirSync(mount + '/out/foigoi', { recursive: true }).filter((name) => /\\.(png|json)$/.test(name))
      const temporary = () => readdirSync(mount + '/out', { recursive: true }).filter((name) => name.endsWith('.tmp'))
      const results = []
      for (let i = 0; i < Number(offsets); i++) {
        mkdirSync(mount + '/out', { recursive: true })
        const { bavail, bsize } = statfsSync(mount)
        // A set takes more than 60 KiB in blocks of 4 KiB; pages are the unit in which tmpfs fills.
        const left = 4096 + Math.floor((48 * 1024 * (i + Number(parts[i]))) / Number(offsets))
        writeFileSync(mount + '/ballast', Buffer.alloc(bavail * bsize - left))
        const full = run()
        rmSync(mount + '/ballast')
        const after = run()
        results.push({ full: full.status, said: full.stderr, after: after.status, files: files().length, temporary: temporary() })
        rmSync(mount + '/out', { recursive: true })
      }
      console.log(JSON.stringify(results))
    `
    const render = await source.write(RENDER_SCRIPT)
    const shell = `exec unshare -rm bash -c 'mount -t tmpfs -o size=1m none "${mount}" && exec "$0" "$@"' "$0" "$@"`
    const end = await source.start(
      script,
      [mount, render, String(offsets), ...Array.from({ length: offsets }, () => String(random()))],
      { shell },
    ).ended
    expect([end.code, end.stderr]).toEqual([0, ''])
    const results: unknown = JSON.parse(end.stdout)
    if (!Array.isArray(results)) throw new Error('no results')
    for (const result of results) {
      expect(result).toMatchObject({ full: 3, after: 0, files: 15, temporary: [] })
      expect(result.said).toContain(`E_DISK_FULL: no space left to write ${join(mount, 'out')}`)
    }
    return { failed: results.length }
  } finally {
    expect(await readdir(mount)).toEqual([])
    await source.remove()
  }
}
