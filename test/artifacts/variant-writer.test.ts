import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashBytes, inspectFiles } from '../../src/artifacts/file-state.ts'
import { makeFolderInside } from '../../src/artifacts/output-folder.ts'
import { timingOf } from '../../src/artifacts/timing.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'
import { KILL_POINTS, type WritePoint } from '../../src/artifacts/write-points.ts'
import type { PregenError } from '../../src/errors.ts'
import { createQuotaFileSystem } from '../support/quota.ts'
import { temporaryFolder } from '../support/temp.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

async function writeVariant(out: string, steps: number, mark = '') {
  const writer = await createVariantWriter({ out, folder: join(out, 'v') })
  for (let step = 1; step <= steps; step++) await writer.writeStep(step, bytes(`step ${step}${mark}`))
  await writer.writeFinal(bytes(`final${mark}`))
  return writer.finish(timingOf(Array(steps).fill(10), 5))
}

describe('variant writer', () => {
  it('writes steps, final and marker, and records what it wrote', async () => {
    const out = await temporaryFolder()
    const files = await writeVariant(out, 11)
    expect(files.map((file) => file.name)).toEqual([
      ...Array.from({ length: 11 }, (_, i) => `${i + 1}.png`),
      'final.png',
      'timing.json',
    ])
    for (const file of files) {
      const content = await readFile(join(out, 'v', file.name))
      expect([file.sizeBytes, file.sha256]).toEqual([content.byteLength, hashBytes(content)])
    }
    expect((await inspectFiles(join(out, 'v'), files)).every((state) => state.fault === null)).toBe(true)
  })

  it('renames the marker after everything else is on disk for good', async () => {
    const out = await temporaryFolder()
    const points: string[] = []
    const onPoint = (point: WritePoint, path: string) =>
      void points.push(`${point} ${path.slice(out.length + 3)}`)
    const writer = await createVariantWriter({ out, folder: join(out, 'v'), onPoint })
    await Promise.all([writer.writeStep(1, bytes('1')), writer.writeFinal(bytes('f'))])
    await writer.finish(timingOf([1], 1))
    const marker = points.indexOf('renamed timing.json')
    expect(marker).toBeGreaterThan(points.indexOf('renamed 1.png'))
    expect(marker).toBeGreaterThan(points.indexOf('renamed final.png'))
    expect(points.indexOf('before-marker ')).toBeLessThan(marker)
    expect(points.at(-1)).toBe('marker-written ')
  })

  it('takes an earlier marker away before anything else is touched', async () => {
    const out = await temporaryFolder()
    await writeVariant(out, 5)
    const seen: string[][] = []
    const onPoint = async (point: WritePoint) => {
      if (point === 'stale-marker-removed') seen.push(await readdir(join(out, 'v')))
    }
    await createVariantWriter({ out, folder: join(out, 'v'), onPoint })
    expect(seen).toHaveLength(1)
    expect(seen[0]?.sort()).toEqual(['1.png', '2.png', '3.png', '4.png', '5.png', 'final.png'])
    expect(await readdir(join(out, 'v'))).toEqual(['final.png'])
  })

  it('leaves no step of a longer earlier run, and no thumbnail of another picture', async () => {
    const out = await temporaryFolder()
    const writer = await createVariantWriter({ out, folder: join(out, 'v') })
    await writer.writeThumbnail(bytes('thumb'))
    await writer.writeFinal(bytes('old'))
    await writer.finish(null)
    await writeVariant(out, 5)
    await writeVariant(out, 2)
    expect((await readdir(join(out, 'v'))).sort()).toEqual(['1.png', '2.png', 'final.png', 'timing.json'])
  })

  it('leaves files that are not ours where they are', async () => {
    const out = await temporaryFolder()
    await mkdir(join(out, 'v'))
    await writeFile(join(out, 'v/notes.txt'), 'mine')
    await writeVariant(out, 1)
    expect(await readFile(join(out, 'v/notes.txt'), 'utf8')).toBe('mine')
  })

  it('writes no marker where none is due', async () => {
    const out = await temporaryFolder()
    const writer = await createVariantWriter({ out, folder: join(out, 'v') })
    await writer.writeFinal(bytes('f'))
    expect((await writer.finish(null)).map((file) => file.name)).toEqual(['final.png'])
    expect(await readdir(join(out, 'v'))).toEqual(['final.png'])
  })

  it('keeps the final picture and writes no marker when a step did not get to disk', async () => {
    const out = await temporaryFolder()
    const quota = { bytes: 4 }
    const fileSystem = createQuotaFileSystem(quota)
    const writer = await createVariantWriter({ out, folder: join(out, 'v'), fileSystem })
    await expect(writer.writeStep(1, bytes('too long'))).rejects.toMatchObject({ code: 'E_DISK_FULL' })
    quota.bytes = 1000
    await writer.writeFinal(bytes('final'))
    await expect(writer.finish(timingOf([1], 1))).rejects.toMatchObject({ code: 'E_DISK_FULL' })
    expect((await writer.finish(null)).map((file) => file.name)).toEqual(['final.png'])
    expect(await readdir(join(out, 'v'))).toEqual(['final.png'])
  })

  it('will not finish without a final picture', async () => {
    const out = await temporaryFolder()
    const writer = await createVariantWriter({ out, folder: join(out, 'v') })
    await expect(writer.finish(null)).rejects.toThrow(/no final.png/)
  })
})

describe('inspectFiles', () => {
  it('trusts what stands still, hashes what moved, and says what is wrong', async () => {
    const out = await temporaryFolder()
    const files = await writeVariant(out, 3)
    const folder = join(out, 'v')
    const state = async (options = {}) =>
      Object.fromEntries((await inspectFiles(folder, files, options)).map(({ name, fault }) => [name, fault]))
    // Whole seconds: what a file system keeps of the rest is its own affair.
    const touched = new Date(Math.ceil(Date.now() / 1000) * 1000 + 5000)
    await utimes(join(folder, '1.png'), touched, touched)
    expect(await state()).toEqual({
      '1.png': null,
      '2.png': null,
      '3.png': null,
      'final.png': null,
      'timing.json': null,
    })
    const refreshed = (await inspectFiles(folder, files)).find((file) => file.name === '1.png')?.refreshed
    expect(refreshed?.mtimeMs).toBe(touched.getTime())
    // Same size, another content, another mtime.
    await writeFile(join(folder, '2.png'), 'STEP 2')
    await utimes(join(folder, '2.png'), touched, touched)
    await writeFile(join(folder, '3.png'), 'longer than it was')
    await writeFile(join(folder, 'final.png'), 'FINAL')
    const final = files.find((file) => file.name === 'final.png')
    await utimes(join(folder, 'final.png'), touched, (final?.mtimeMs ?? 0) / 1000)
    expect(await state()).toMatchObject({ '1.png': null, '2.png': 'altered', '3.png': 'altered' })
    expect(await state({ rehash: true })).toMatchObject({ 'final.png': 'altered', '1.png': null })
    await writeFile(join(folder, 'gone'), '')
    expect(await inspectFiles(join(folder, 'gone'), files.slice(0, 1))).toMatchObject([{ fault: 'missing' }])
    expect(await inspectFiles(join(out, 'none'), files.slice(0, 1))).toMatchObject([{ fault: 'missing' }])
  })
})

describe('a folder that somebody removes while it is written', () => {
  const POINTS = KILL_POINTS.filter((point) => !point.startsWith('ledger-'))

  // Both come when all has been written; the run looks for the files once more at its end.
  const LAST: ReadonlySet<string> = new Set(['folder-synced', 'marker-written'])

  it.each(POINTS)('at %s', async (removeAt) => {
    const out = await temporaryFolder()
    await writeVariant(out, 2, 'old')
    let isRemoved = false
    const onPoint = async (point: WritePoint) => {
      if (point !== removeAt || isRemoved) return
      isRemoved = true
      await rm(join(out, 'v'), { recursive: true })
    }
    const writing = (async () => {
      const writer = await createVariantWriter({ out, folder: join(out, 'v'), onPoint })
      await writer.writeStep(1, bytes('1'))
      await writer.writeFinal(bytes('f'))
      return writer.finish(timingOf([1], 1))
    })()
    const error = await writing.then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(isRemoved).toBe(true)
    if (LAST.has(removeAt)) expect(error).toBeNull()
    else expect(error).toMatchObject({ code: 'E_OUTPUT_REMOVED' })
  })

  it('while it is made is made again', async () => {
    const out = await temporaryFolder()
    const remover = spawn('sh', ['-c', 'while :; do rm -rf "$0"; done', join(out, 'a')])
    const ended = once(remover, 'exit')
    try {
      const codes = new Set<unknown>()
      for (let i = 0; i < 3000; i++) {
        await makeFolderInside(out, join(out, 'a/b/c/d')).catch((error: PregenError) => codes.add(error.code))
      }
      codes.delete('E_OUTPUT_REMOVED')
      expect([...codes]).toEqual([])
    } finally {
      remover.kill('SIGKILL')
      await ended
    }
  })
})
