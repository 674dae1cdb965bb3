import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createBodyReader } from '../../src/storage/read-body.ts'
import { temporaryFolder } from '../support/temp.ts'

function waitFor(ms: number): void {
  const from = performance.now()
  while (performance.now() - from < ms);
}

describe('files for uploads', () => {
  it('gives every byte and the time of change, by either way', async () => {
    const path = join(await temporaryFolder(), 'a.png')
    const bytes = Buffer.alloc(700_000, 'pregen')
    await writeFile(path, bytes)
    await utimes(path, 1000, 1000)
    const quick = createBodyReader()
    // Every read seems slow: after three they go to the thread pool.
    let atOnce = 0
    const slow = createBodyReader((file) => {
      atOnce++
      waitFor(10)
      return { bytes: Buffer.from(file), mtimeMs: 0 }
    })
    const read = await quick(path)
    expect([read.bytes.equals(bytes), read.mtimeMs]).toEqual([true, 1_000_000])
    for (let i = 0; i < 3; i++) expect((await slow(path)).mtimeMs).toBe(0)
    const aside = await slow(path)
    expect([aside.bytes.equals(bytes), aside.mtimeMs, atOnce]).toEqual([true, 1_000_000, 3])
  })

  it('reads at once again after a hiccup', async () => {
    const path = join(await temporaryFolder(), 'a.png')
    await writeFile(path, 'x')
    let reads = 0
    const read = createBodyReader(() => {
      if (reads++ % 3 > 0) waitFor(10)
      return { bytes: Buffer.alloc(1), mtimeMs: 1 }
    })
    for (let i = 0; i < 9; i++) await read(path)
    expect(reads).toBe(9)
  })

  it('says which file is missing', async () => {
    await expect(createBodyReader()('/nowhere/a.png')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
