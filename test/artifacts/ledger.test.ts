import { appendFile, open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { type LedgerUnit, openLedger, readLedger } from '../../src/artifacts/ledger.ts'
import { temporaryFolder } from '../support/temp.ts'

function unit(digest: string): LedgerUnit {
  return {
    digest,
    parts: { prompt: `p-${digest}`, model: 'm' },
    files: [{ name: 'final.png', sha256: 'ab'.repeat(32), sizeBytes: 7, mtimeMs: 1700000000000.125 }],
    durationMs: 12.5,
    steps: 3,
  }
}

const sent = (sha256: string) => ({ sha256, sizeBytes: 7, etag: 'e' })
const target = 's3://show'
const key = (i: number) => `foigoi/v/cues/dawn/seed-${i}`

async function lines(path: string): Promise<number> {
  return (await readFile(path, 'utf8')).split('\n').length - 1
}

describe('ledger', () => {
  it('remembers units and objects over a reopening', async () => {
    const path = join(await temporaryFolder(), '.pregen/ledger.ndjson')
    const first = await openLedger(path)
    await Promise.all([first.recordUnit(key(1), unit('a')), first.recordUnit(key(2), unit('b'))])
    await first.recordSent(target, key(1), { 'final.png': sent('x'), '1.png': sent('y') })
    await first.recordSent('s3://other', key(1), { 'final.png': sent('z') })
    await first.close()
    const reopened = await openLedger(path)
    await reopened.close()
    for (const ledger of [await readLedger(path), reopened]) {
      expect([...ledger.units]).toEqual([
        [key(1), unit('a')],
        [key(2), unit('b')],
      ])
      expect(ledger.sent.get(target)?.get(key(1))?.get('1.png')).toEqual(sent('y'))
      expect(ledger.sent.get('s3://other')?.get(key(1))?.get('final.png')).toEqual(sent('z'))
    }
  })

  it('lets a later line win, and forgets what it is told to', async () => {
    const path = join(await temporaryFolder(), 'ledger.ndjson')
    const ledger = await openLedger(path)
    await ledger.recordUnit(key(1), unit('a'))
    await ledger.recordUnit(key(1), unit('b'))
    await ledger.recordUnit(key(2), unit('c'))
    await ledger.forgetUnit(key(2))
    await ledger.recordSent(target, key(1), { 'final.png': sent('x'), 'timing.json': sent('t') })
    await ledger.forgetSent(target, key(1), ['timing.json', '99.png'])
    await ledger.close()
    const read = await readLedger(path)
    expect(read.units.get(key(1))?.digest).toBe('b')
    expect(read.units.has(key(2))).toBe(false)
    expect([...(read.sent.get(target)?.get(key(1))?.keys() ?? [])]).toEqual(['final.png'])
  })

  it('keeps in mind that a doubted object stands in the store, but not with which content', async () => {
    const path = join(await temporaryFolder(), 'ledger.ndjson')
    const ledger = await openLedger(path)
    await ledger.recordSent(target, key(1), { 'final.png': sent('x') })
    await ledger.doubtSent(target, key(1), ['final.png', 'never-sent.png'])
    await ledger.close()
    const objects = (await readLedger(path)).sent.get(target)?.get(key(1))
    expect([...(objects ?? [])]).toEqual([['final.png', { sha256: '', sizeBytes: 0, etag: null }]])
  })

  it('writes nothing for what it never knew', async () => {
    const path = join(await temporaryFolder(), 'ledger.ndjson')
    const ledger = await openLedger(path)
    await ledger.forgetUnit('none')
    await ledger.forgetSent(target, 'none', ['1.png'])
    await ledger.close()
    expect((await stat(path)).size).toBe(0)
  })

  it('is read as empty where there is none', async () => {
    const read = await readLedger(join(await temporaryFolder(), 'none'))
    expect([read.units.size, read.sent.size, read.damagedLines]).toEqual([0, 0, 0])
  })

  it('drops a last line torn at any byte, keeps the rest, and appends cleanly after', async () => {
    const folder = await temporaryFolder()
    const whole = await openLedger(join(folder, 'whole'))
    await whole.recordUnit(key(1), unit('a'))
    await whole.recordUnit(key(2), unit('b'))
    await whole.close()
    const bytes = await readFile(join(folder, 'whole'))
    const firstLine = bytes.indexOf(0x0a) + 1
    for (let cut = firstLine; cut < bytes.length; cut += 7) {
      const path = join(folder, `torn-${cut}`)
      await writeFile(path, bytes.subarray(0, cut))
      const ledger = await openLedger(path)
      expect([...ledger.units.keys()]).toEqual([key(1)])
      await ledger.recordUnit(key(3), unit('c'))
      await ledger.close()
      const read = await readLedger(path)
      expect([...read.units.keys()]).toEqual([key(1), key(3)])
      expect(read.damagedLines).toBe(0)
    }
  })

  it('passes over damaged lines and clears them away when it is opened', async () => {
    const path = join(await temporaryFolder(), 'ledger.ndjson')
    const ledger = await openLedger(path)
    await ledger.recordUnit(key(1), unit('a'))
    await ledger.close()
    await appendFile(
      path,
      'not json\n{"type":"unit","key":7}\n{"type":"unit","key":"k","unit":{"digest":1}}\n\n',
    )
    expect((await readLedger(path)).damagedLines).toBe(4)
    const opened = await openLedger(path)
    expect(opened.damagedLines).toBe(4)
    await opened.close()
    const read = await readLedger(path)
    expect([read.damagedLines, read.units.size]).toEqual([0, 1])
  })

  it('is compacted when more than half of it is stale, without losing a fact', async () => {
    const path = join(await temporaryFolder(), 'ledger.ndjson')
    const ledger = await openLedger(path)
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 4; i++) await ledger.recordUnit(key(i), unit(`r${round}`))
      await ledger.recordSent(target, key(0), { 'final.png': sent(`r${round}`) })
    }
    await ledger.close()
    expect(await lines(path)).toBe(25)
    const before = await readLedger(path)
    await (await openLedger(path)).close()
    expect(await lines(path)).toBe(5)
    const after = await readLedger(path)
    expect(after).toEqual(before)
    const size = (await stat(path)).size
    await (await openLedger(path)).close()
    expect((await stat(path)).size).toBe(size)
  })

  it('tells of an append that failed and leaves no half line behind', async () => {
    const path = join(await temporaryFolder(), 'ledger.ndjson')
    let isFull = false
    const ledger = await openLedger(path, {
      onPoint: (point) => {
        if (point === 'ledger-appended' && isFull) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      },
    })
    await ledger.recordUnit(key(1), unit('a'))
    isFull = true
    await expect(ledger.recordUnit(key(2), unit('b'))).rejects.toMatchObject({ code: 'E_DISK_FULL' })
    expect(ledger.units.has(key(2))).toBe(false)
    isFull = false
    await ledger.recordUnit(key(3), unit('c'))
    await ledger.close()
    expect([...(await readLedger(path)).units.keys()]).toEqual([key(1), key(3)])
  })

  it('begins a new line behind half a one that could not be cut off', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'ledger.ndjson')
    const ledger = await openLedger(path)
    await ledger.recordUnit(key(1), unit('a'))
    const handle = await open(join(folder, 'another'), 'w')
    const prototype: typeof handle = Object.getPrototypeOf(handle)
    await handle.close()
    const write = vi.spyOn(prototype, 'write').mockImplementationOnce(async function (
      this: typeof handle,
      bytes,
    ) {
      if (!ArrayBuffer.isView(bytes)) throw new Error('a ledger writes bytes')
      await this.appendFile(Buffer.from(bytes.buffer, bytes.byteOffset, 20))
      throw Object.assign(new Error('i/o error'), { code: 'EIO' })
    })
    const truncate = vi.spyOn(prototype, 'truncate').mockRejectedValueOnce(new Error('i/o error'))
    await expect(ledger.recordUnit(key(2), unit('b'))).rejects.toMatchObject({ code: 'E_WRITE_FAILED' })
    expect(truncate).toHaveBeenCalledTimes(1)
    write.mockRestore()
    truncate.mockRestore()
    await ledger.recordUnit(key(3), unit('c'))
    await ledger.recordUnit(key(4), unit('d'))
    await ledger.close()
    const read = await readLedger(path)
    expect([...read.units.keys()]).toEqual([key(1), key(3), key(4)])
    expect(read.damagedLines).toBe(1)
  })

  it('opens ten thousand units in about the time that their JSON takes', async () => {
    const path = join(await temporaryFolder(), 'ledger.ndjson')
    const lines = Array.from({ length: 10_000 }, (_, i) =>
      JSON.stringify({ type: 'unit', key: key(i), unit: unit('a') }),
    )
    await writeFile(path, `${lines.join('\n')}\n`)
    const cpuMs = async (work: () => unknown) => {
      const before = process.cpuUsage()
      await work()
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    }
    const parsing = await cpuMs(() => lines.map((line) => JSON.parse(line)))
    const opening = await cpuMs(async () => {
      const ledger = await openLedger(path)
      expect(ledger.units.size).toBe(10_000)
      await ledger.close()
    })
    // Measured: 9 times, with the code still cold. What grows with the square would take thousands.
    expect(opening / parsing).toBeLessThan(100)
  })
})
