import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRegularFile } from '../../src/files/read-regular-file.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const at = (name: string) => join(scratch.folder, name)
const limits = { maxBytes: 1000 }

describe('a regular file', () => {
  it.each([0, 1, 999, 1000])('of %i bytes is read whole', async (size) => {
    writeFileSync(at('file'), Buffer.alloc(size, 7))
    expect(await readRegularFile(at('file'), limits)).toEqual(Buffer.alloc(size, 7))
  })

  it('of one byte too many is not', async () => {
    writeFileSync(at('file'), Buffer.alloc(1001))
    await expect(readRegularFile(at('file'), limits)).rejects.toMatchObject({ reason: 'too-large' })
  })

  it('that is sparse and of a terabyte is refused by its size', async () => {
    writeFileSync(at('sparse'), '')
    truncateSync(at('sparse'), 2 ** 40)
    await expect(readRegularFile(at('sparse'), limits)).rejects.toMatchObject({ reason: 'too-large' })
  })

  it('that grows while it is read ends at the limit', async () => {
    writeFileSync(at('grows'), '')
    const timer = setInterval(() => appendFileSync(at('grows'), Buffer.alloc(4000)), 0)
    try {
      const read = async () => {
        for (;;) await readRegularFile(at('grows'), { maxBytes: 100_000 })
      }
      await expect(read()).rejects.toMatchObject({ reason: 'too-large' })
    } finally {
      clearInterval(timer)
    }
  })

  // stat calls them empty; the first is nine gigabytes and more.
  it.each(['/proc/self/pagemap', '/proc/kallsyms'])('%s is read to the limit at most', async (path) => {
    await expect(readRegularFile(path, limits)).rejects.toMatchObject({ reason: 'too-large' })
  })

  it('behind a link is read, unless links are refused', async () => {
    writeFileSync(at('target'), 'x')
    symlinkSync(at('target'), at('link'))
    expect((await readRegularFile(at('link'), limits)).toString()).toBe('x')
    await expect(readRegularFile(at('link'), { ...limits, noFollow: true })).rejects.toMatchObject({
      code: 'ELOOP',
    })
  })
})

describe('anything else', () => {
  it('is refused without being read or waited for', async () => {
    execFileSync('mkfifo', [at('pipe')])
    mkdirSync(at('folder'))
    for (const path of [at('pipe'), '/dev/zero', '/dev/random', '/dev/null']) {
      await expect(readRegularFile(path, limits)).rejects.toMatchObject({ reason: 'device' })
    }
    await expect(readRegularFile(at('folder'), limits)).rejects.toMatchObject({ reason: 'folder' })
  })
})
