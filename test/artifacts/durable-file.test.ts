import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { confine } from '../../src/artifacts/confinement.ts'
import { beginDurableFile } from '../../src/artifacts/durable-file.ts'
import { isTemporaryName } from '../../src/artifacts/temporary-name.ts'
import { temporaryFolder } from '../support/temp.ts'

describe('a file that another writes', () => {
  it('has its name once it is whole, with its sums', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'final.mp4')
    await writeFile(path, 'old')
    const file = beginDurableFile(path)
    await writeFile(file.temporary, 'new content')
    expect(await readFile(path, 'utf8')).toBe('old')
    expect((await readdir(folder)).filter(isTemporaryName)).toHaveLength(1)
    const written = await file.commit()
    expect(written).toMatchObject({
      sha256: createHash('sha256').update('new content').digest('hex'),
      md5: createHash('md5').update('new content').digest('hex'),
      sizeBytes: 11,
    })
    expect(await readdir(folder)).toEqual(['final.mp4'])
    expect(await readFile(path, 'utf8')).toBe('new content')
    await file.abandon()
    expect(await readdir(folder)).toEqual(['final.mp4'])
  })

  it('leaves nothing when it is given up, written or not', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'final.mp4')
    const never = beginDurableFile(path)
    await never.abandon()
    const half = beginDurableFile(path)
    await writeFile(half.temporary, 'half')
    await half.abandon()
    await half.abandon()
    expect(await readdir(folder)).toEqual([])
  })

  it('tells of one that was never written, and can be given up then', async () => {
    const folder = await temporaryFolder()
    const file = beginDurableFile(join(folder, 'final.mp4'))
    await expect(file.commit()).rejects.toMatchObject({ code: 'E_WRITE_FAILED' })
    await file.abandon()
  })

  it('follows no link to its folder', async () => {
    const out = await temporaryFolder()
    const elsewhere = await temporaryFolder()
    await mkdir(join(out, 'films'))
    await symlink(elsewhere, join(out, 'films/demo'))
    expect(() => beginDurableFile(join(out, 'films/demo/a.mp4'), { inside: confine(out) })).toThrow(
      'is a symbolic link',
    )
    expect(() => beginDurableFile(join(elsewhere, 'a.mp4'), { inside: confine(out) })).toThrow(
      'is not inside',
    )
  })
})
