import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temp.ts'
import { killAndRerun } from './crash.ts'
import { fillAtOffsets, fillByFileLimit } from './disk-full.ts'
import { isWholePng, readWhileWriting } from './reader.ts'

describe('promise 1: killed anywhere, a rerun does exactly what is missing', () => {
  it('at 6 random moments and at every named point', async () => {
    const { killed, kept } = await killAndRerun({
      folder: await temporaryFolder(),
      kills: 6,
      variants: 5,
      steps: 3,
    })
    expect(killed).toBeGreaterThan(0)
    // Some were killed with part of the work done: it was kept.
    expect(kept.some((units) => units > 0 && units < 5)).toBe(true)
  }, 120_000)
})

describe('promise 2: a final name never holds a partial file', () => {
  it('through 150 writes, read every millisecond', async () => {
    const { looks, invalid, distinct } = await readWhileWriting(await temporaryFolder(), 150)
    expect(invalid).toBe(0)
    expect(looks).toBeGreaterThan(20)
    expect(distinct).toBeGreaterThan(5)
  })

  it('and the reader knows a partial file when it sees one', async () => {
    expect(isWholePng(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))).toBe(false)
    expect(isWholePng(Buffer.alloc(0))).toBe(false)
  })
})

describe('promise 3: a full disk is told with its path, and a rerun completes', () => {
  it('at 12 byte offsets', async () => {
    await fillAtOffsets(await temporaryFolder(), 12)
  })

  it('as the kernel tells it to a process', async () => {
    const folder = join(await temporaryFolder(), 'out')
    await mkdir(folder)
    await fillByFileLimit(folder)
  })
})
