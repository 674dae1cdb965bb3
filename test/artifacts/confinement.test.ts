import {
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  hashFileInside,
  openFile,
  readFileInside,
  readFileNow,
  removeFileInside,
} from '../../src/artifacts/confined-files.ts'
import { makeFolder, openFolder, removeFolder, withFolder } from '../../src/artifacts/confined-folder.ts'
import { type Confinement, confine, placeOf } from '../../src/artifacts/confinement.ts'
import { sweepTemporaryFiles, writeFileDurably } from '../../src/artifacts/durable-write.ts'
import { makeFolderInside } from '../../src/artifacts/output-folder.ts'
import { createCanary, ODD_KINDS, placeOdd } from '../support/canary.ts'
import { temporaryFolder } from '../support/temp.ts'

async function setUp(isAnchored: boolean) {
  const folder = await temporaryFolder()
  const canary = createCanary(join(folder, 'canary'))
  const out = join(folder, 'out')
  mkdirSync(join(out, 'a/b'), { recursive: true })
  const inside: Confinement = confine(out, isAnchored && process.platform === 'linux')
  return { canary, out, inside, before: canary.state() }
}

describe.each([
  ['on open handles', true],
  ['where the system tells no place of a handle', false],
])('work inside a folder, %s', (_, isAnchored) => {
  it.each(ODD_KINDS)('takes no %s for a file, and waits for none', async (kind) => {
    const { canary, out, inside, before } = await setUp(isAnchored)
    const path = join(out, 'a/b/x')
    placeOdd(kind, path, canary)
    const code = kind.includes('link') || kind === 'dangling' ? 'E_OUTPUT_SYMLINK' : 'E_OUTPUT_KIND'
    await expect(readFileInside(inside, path, 1000)).rejects.toMatchObject({ code })
    await expect(hashFileInside(inside, path)).rejects.toMatchObject({ code })
    await expect(openFile(inside, path, constants.O_RDWR)).rejects.toMatchObject({ code })
    expect(() => readFileNow(inside, path, 1000)).toThrow(expect.objectContaining({ code }))
    if (kind !== 'folder')
      expect(() => makeFolder(inside, join(path, 'y'))).toThrow(expect.objectContaining({ code }))
    expect(canary.state()).toEqual(before)
  })

  it('goes through no link on the way, whatever is asked for', async () => {
    const { canary, out, inside, before } = await setUp(isAnchored)
    symlinkSync(canary.live, join(out, 'a/l'))
    const path = join(out, 'a/l/final.png')
    const refused = { code: 'E_OUTPUT_SYMLINK' }
    await expect(readFileInside(inside, path, 1000)).rejects.toMatchObject(refused)
    await expect(hashFileInside(inside, path)).rejects.toMatchObject(refused)
    await expect(writeFileDurably(path, Buffer.from('x'), { inside })).rejects.toMatchObject(refused)
    await expect(removeFileInside(inside, path)).rejects.toMatchObject(refused)
    await expect(makeFolderInside(out, join(out, 'a/l/new'))).rejects.toMatchObject(refused)
    expect(() => readFileNow(inside, path, 1000)).toThrow(expect.objectContaining(refused))
    expect(() => openFolder(inside, join(out, 'a/l/dawn'))).toThrow(expect.objectContaining(refused))
    expect(() => removeFolder(inside, join(out, 'a/l/dawn'))).toThrow(expect.objectContaining(refused))
    expect(await sweepTemporaryFiles(out)).toEqual([])
    expect(canary.state()).toEqual(before)
  })

  it('takes a link to a place inside for a link, too', async () => {
    const { out, inside } = await setUp(isAnchored)
    writeFileSync(join(out, 'a/b/x'), 'inside')
    symlinkSync(join(out, 'a/b'), join(out, 'a/l'))
    await expect(readFileInside(inside, join(out, 'a/l/x'), 10)).rejects.toMatchObject({
      code: 'E_OUTPUT_SYMLINK',
    })
  })

  it('removes a folder with the links in it, and nothing that they lead to', async () => {
    const { canary, out, inside, before } = await setUp(isAnchored)
    symlinkSync(canary.live, join(out, 'a/b/l'))
    symlinkSync(canary.text, join(out, 'a/b/t'))
    removeFolder(inside, join(out, 'a'))
    removeFolder(inside, join(out, 'a'))
    expect(readdirSync(out)).toEqual([])
    symlinkSync(canary.live, join(out, 'live'))
    removeFolder(inside, join(out, 'live'))
    expect([readdirSync(out), canary.state()]).toEqual([[], before])
  })

  it('works in the folder that was opened, whatever takes its place', async () => {
    const { canary, out, inside, before } = await setUp(isAnchored)
    // Without help from the system a window of a moment is left.
    if (!inside.isAnchored) return
    await withFolder(inside, join(out, 'a'), async (folder) => {
      renameSync(join(out, 'a'), join(out, 'moved'))
      symlinkSync(canary.live, join(out, 'a'))
      const handle = await open(folder.at('new'), 'wx')
      await handle.close()
    })
    expect([readdirSync(join(out, 'moved')).sort(), canary.state()]).toEqual([['b', 'new'], before])
  })

  it('reads a file whole while it is replaced again and again', async () => {
    const { out, inside } = await setUp(isAnchored)
    const path = join(out, 'a/x')
    writeFileSync(path, '0')
    let isOver = false
    const replacing = (async () => {
      for (let count = 1; !isOver; count++) {
        await writeFileDurably(path, Buffer.from(`${count}`), { inside })
      }
    })()
    for (let read = 0; read < 300; read++) {
      const { bytes } = await readFileInside(inside, path, 100)
      expect(bytes.toString()).toMatch(/^\d+$/)
    }
    isOver = true
    await replacing
  })

  it('makes folders and files with the permissions asked for', async () => {
    const { out, inside } = await setUp(isAnchored)
    makeFolder(inside, join(out, 'p/q'), 0o700)
    await writeFileDurably(join(out, 'p/q/x'), Buffer.from('x'), { inside, mode: 0o600 })
    await writeFileDurably(join(out, 'a/x'), Buffer.from('x'), { inside })
    const modeOf = (path: string) => statSync(join(out, path)).mode & 0o777
    expect([modeOf('p'), modeOf('p/q'), modeOf('p/q/x')]).toEqual([0o700, 0o700, 0o600])
    expect(modeOf('a/x')).toBe(0o666 & ~process.umask())
  })

  it('names paths as the user does, also where the folder was named by a link', async () => {
    const { out } = await setUp(isAnchored)
    symlinkSync(out, `${out}-link`)
    writeFileSync(join(out, 'a/x'), 'text')
    const inside = confine(`${out}-link`, isAnchored && process.platform === 'linux')
    expect((await readFileInside(inside, `${out}-link/a/x`, 10)).bytes.toString()).toBe('text')
    const missing = writeFileDurably(`${out}-link/none/x`, Buffer.from('x'), { inside })
    await expect(missing).rejects.toThrow(new RegExp(`${out}-link/none`))
    await expect(missing).rejects.not.toThrow(/proc/)
  })
})

describe('paths', () => {
  it.each(['..', 'a/../../x', '/etc/passwd', 'a/\0/x'])('that leave are refused: %j', async (path) => {
    const out = await temporaryFolder()
    const full = path.startsWith('/') ? path : `${out}/${path}`
    expect(() => placeOf(confine(out), full)).toThrow(expect.objectContaining({ code: 'E_PATH_ESCAPE' }))
  })

  it('are names in an open folder, and no ways out of it', async () => {
    const out = await temporaryFolder()
    const folder = openFolder(confine(out), out)
    for (const name of ['', '.', '..', 'a/b', 'a\\b', 'a\0'])
      expect(() => folder.at(name)).toThrow(RangeError)
    folder.close()
  })
})

describe('reading', () => {
  it('stops at its bound, whatever the size says', async () => {
    const { out, inside } = await setUp(true)
    const path = join(out, 'x')
    writeFileSync(path, Buffer.alloc(5000, 1))
    await expect(readFileInside(inside, path, 4999)).rejects.toMatchObject({ code: 'E_OUTPUT_TOO_LARGE' })
    await expect(hashFileInside(inside, path, 4999)).rejects.toMatchObject({ code: 'E_OUTPUT_TOO_LARGE' })
    expect((await readFileInside(inside, path, 5000)).bytes.equals(readFileSync(path))).toBe(true)
    expect(readFileNow(inside, path, 100).bytes.length).toBe(100)
  })

  it.runIf(process.platform === 'linux')('of a file without a size ends, too', async () => {
    // Files below /proc say that they have no bytes, and some never end.
    const own = `/proc/${process.pid}`
    const inside = confine(own)
    const { bytes } = await readFileInside(inside, `${own}/stat`, 100_000)
    expect(bytes.toString()).toContain(String(process.pid))
    await expect(readFileInside(inside, `${own}/pagemap`, 1_000_000)).rejects.toMatchObject({
      code: 'E_OUTPUT_TOO_LARGE',
    })
  })
})
