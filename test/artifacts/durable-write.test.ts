import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sweepTemporaryFiles, writeFileDurably } from '../../src/artifacts/durable-write.ts'
import { isTemporaryName } from '../../src/artifacts/temporary-name.ts'
import type { WritePoint } from '../../src/artifacts/write-points.ts'
import { createQuotaFileSystem } from '../support/quota.ts'
import fc from '../support/seed.ts'
import { temporaryFolder } from '../support/temp.ts'

describe('writeFileDurably', () => {
  it('writes all bytes, however few the file takes at once', async () => {
    const folder = await temporaryFolder()
    const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), async (atOnce) => {
        const fileSystem = createQuotaFileSystem({ bytes: 5000, atOnce })
        await writeFileDurably(join(folder, 'a.bin'), bytes, { fileSystem })
        expect(Buffer.compare(await readFile(join(folder, 'a.bin')), Buffer.from(bytes))).toBe(0)
      }),
      { numRuns: 10 },
    )
    expect(await readdir(folder)).toEqual(['a.bin'])
  })

  it('holds few files open, however many are to be written at once', async () => {
    const folder = await temporaryFolder()
    let open = 0
    let most = 0
    const onPoint = async (point: WritePoint) => {
      if (point === 'temp-opened') most = Math.max(most, ++open)
      // Long enough for all that may to begin.
      if (point === 'temp-opened') await new Promise((resolve) => setTimeout(resolve, 5))
      if (point === 'temp-synced') open--
    }
    const paths = Array.from({ length: 100 }, (_, index) => join(folder, `${index}.png`))
    await Promise.all(paths.map((path) => writeFileDurably(path, new Uint8Array(3), { onPoint })))
    expect(await readdir(folder)).toHaveLength(100)
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(16)
  })

  it('goes through its points in order', async () => {
    const folder = await temporaryFolder()
    const points: WritePoint[] = []
    const onPoint = (point: WritePoint) => void points.push(point)
    await writeFileDurably(join(folder, 'a'), new Uint8Array(3), { onPoint })
    expect(points).toEqual([
      ...['temp-opened', 'temp-written', 'file-sync', 'temp-synced'],
      ...['renamed', 'folder-sync', 'folder-synced'],
    ])
    points.length = 0
    await writeFileDurably(join(folder, 'a'), new Uint8Array(3), { onPoint, syncFolder: false })
    expect(points).not.toContain('folder-synced')
  })

  it('keeps the old file and leaves nothing else when it fails at any point before the rename', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a'), 'old')
    for (const point of ['temp-opened', 'temp-written', 'temp-synced'] as const) {
      const onPoint = (reached: WritePoint) => {
        if (reached === point) throw new Error(`injected at ${point}`)
      }
      await expect(writeFileDurably(join(folder, 'a'), new Uint8Array(3), { onPoint })).rejects.toMatchObject(
        {
          code: 'E_WRITE_FAILED',
        },
      )
      expect(await readdir(folder)).toEqual(['a'])
      expect(await readFile(join(folder, 'a'), 'utf8')).toBe('old')
    }
  })

  it('names the path and says what to do when the disk is full', async () => {
    const path = join(await temporaryFolder(), 'final.png')
    const work = writeFileDurably(path, new Uint8Array(100), {
      fileSystem: createQuotaFileSystem({ bytes: 99 }),
    })
    await expect(work).rejects.toMatchObject({ code: 'E_DISK_FULL', exitCode: 3 })
    await expect(work).rejects.toThrow(path)
  })

  it('takes a write of no bytes for a full disk, not for a reason to try for ever', async () => {
    const path = join(await temporaryFolder(), 'a')
    const fileSystem = createQuotaFileSystem({ bytes: 10, silent: true })
    await expect(writeFileDurably(path, new Uint8Array(11), { fileSystem })).rejects.toMatchObject({
      code: 'E_DISK_FULL',
    })
  })

  it('names the path where a folder is missing', async () => {
    const path = join(await temporaryFolder(), 'none/a')
    const work = writeFileDurably(path, new Uint8Array(1))
    await expect(work).rejects.toMatchObject({ code: 'E_WRITE_FAILED' })
    await expect(work).rejects.toThrow(path)
  })
})

describe('sweepTemporaryFiles', () => {
  it('removes what a killed run left, at any depth, and nothing else', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'cues/dawn/wide'), { recursive: true })
    const left = ['.pregen-1-0123456789ab.tmp', 'cues/dawn/wide/.pregen-99-ffffffffffff.tmp']
    const kept = [
      '.pregen-notes.tmp',
      'a.tmp',
      'cues/dawn/wide/1.png',
      'cues/dawn/wide/x.pregen-1-0123456789ab.tmp',
    ]
    for (const name of [...left, ...kept]) await writeFile(join(folder, name), 'x')
    expect(await sweepTemporaryFiles(folder)).toEqual(left.map((name) => join(folder, name)).sort())
    for (const name of kept) expect(await readFile(join(folder, name), 'utf8')).toBe('x')
  })

  it('leaves alone what a living process writes where the lock is not needed', async () => {
    const folder = await temporaryFolder()
    const shared = join(folder, '.pregen/runs')
    await mkdir(join(shared, 'one'), { recursive: true })
    const { pid: ended = 0 } = spawnSync(process.execPath, ['--version'])
    const nameOf = (pid: number) => `.pregen-${pid}-0123456789ab.tmp`
    const kept = join(shared, 'one', nameOf(process.pid))
    const left = [join(folder, nameOf(process.pid)), join(shared, 'one', nameOf(ended))]
    for (const path of [kept, ...left]) await writeFile(path, 'x')
    expect(await sweepTemporaryFiles(folder, shared)).toEqual(left.sort())
    expect(await readFile(kept, 'utf8')).toBe('x')
  })

  it('knows the names that writing uses', async () => {
    const folder = await temporaryFolder()
    let temporary = ''
    const onPoint = (point: WritePoint, path: string) => {
      if (point === 'temp-opened') temporary = path
    }
    await writeFileDurably(join(folder, 'a'), new Uint8Array(1), { onPoint })
    expect(isTemporaryName(temporary.slice(folder.length + 1))).toBe(true)
  })

  it('minds no missing folder', async () => {
    expect(await sweepTemporaryFiles(join(await temporaryFolder(), 'none'))).toEqual([])
  })
})
