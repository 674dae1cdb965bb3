import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openLedger } from '../../src/artifacts/ledger.ts'
import { type Origin, openOrigin } from '../../src/artifacts/origin.ts'
import { temporaryFolder } from '../support/temp.ts'

const FILE = { name: 'final.png', sha256: 'ab'.repeat(32), md5: 'cd'.repeat(16), sizeBytes: 7, mtimeMs: 1.5 }
const UNIT = { digest: 'd', parts: { prompt: 'p' }, files: [FILE] }
const KEY = 'foigoi/v1/cues/dawn/wide'

describe('marks', () => {
  it('are those of one user on one machine, over processes', async () => {
    const folder = await temporaryFolder()
    const [mine, again, other] = [
      openOrigin(join(folder, 'a/b')),
      openOrigin(join(folder, 'a/b')),
      openOrigin(join(folder, 'c')),
    ]
    const mark = mine.mark('text')
    expect(mark).toMatch(/^[0-9a-f]{32}$/)
    expect([again.isOwn('text', mark), other.isOwn('text', mark)]).toEqual([true, false])
    expect([mine.isOwn('texts', mark), mine.isOwn('text', undefined)]).toEqual([false, false])
    for (const wrong of ['', 'x', 'é'.repeat(32), `${mark}0`, mark.toUpperCase()]) {
      expect(mine.isOwn('text', wrong)).toBe(false)
    }
    const [name = ''] = readdirSync(join(folder, 'a/b'))
    expect([name, statSync(join(folder, 'a/b', name)).mode & 0o777]).toEqual(['origin-key', 0o600])
    expect(statSync(join(folder, 'a/b')).mode & 0o777).toBe(0o700)
  })

  it('hold for one process where no key can be kept, and after a key was damaged', async () => {
    const folder = await temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    for (const dir of [undefined, join(folder, 'file')]) {
      const origin = openOrigin(dir)
      expect(origin.isOwn('text', origin.mark('text'))).toBe(true)
      expect(openOrigin(dir).isOwn('text', origin.mark('text'))).toBe(false)
    }
    mkdirSync(join(folder, 'state'))
    writeFileSync(join(folder, 'state/origin-key'), 'torn')
    const origin = openOrigin(join(folder, 'state'))
    expect(openOrigin(join(folder, 'state')).isOwn('text', origin.mark('text'))).toBe(true)
    expect(readdirSync(join(folder, 'state'))).toEqual(['origin-key'])
  })
})

describe('a ledger’s units', () => {
  async function reopened(path: string, origin: Origin): Promise<boolean> {
    const ledger = await openLedger(path, { origin })
    const isOwn = ledger.isOwn(KEY)
    await ledger.close()
    return isOwn
  }

  it('are one’s own as long as nobody else wrote them', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'out/.pregen/ledger.ndjson')
    const [mine, other] = [openOrigin(join(folder, 'a')), openOrigin(join(folder, 'b'))]
    const ledger = await openLedger(path, { origin: mine })
    await ledger.recordUnit(KEY, UNIT)
    expect([ledger.isOwn(KEY), ledger.isOwn('foigoi/v1/cues/dawn/other')]).toEqual([true, false])
    await ledger.close()
    expect([await reopened(path, mine), await reopened(path, other)]).toEqual([true, false])
    // Another's line of the same unit, its mark and all: one byte of it decides.
    const line = readFileSync(path, 'utf8')
    for (const forged of [
      line.replace('"sizeBytes":7', '"sizeBytes":8'),
      line.replace('dawn/wide', 'dawn/wild').replace('"digest":"d"', '"digest":"e"'),
      line.replace(/,"mark":"[0-9a-f]+"/, ''),
    ]) {
      writeFileSync(path, forged)
      expect([forged === line, await reopened(path, mine)]).toEqual([false, false])
    }
    writeFileSync(path, line)
    expect(await reopened(path, mine)).toBe(true)
  })

  it('of another stay another’s when they are renewed, and one’s own over a compaction', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'out/.pregen/ledger.ndjson')
    const [mine, other] = [openOrigin(join(folder, 'a')), openOrigin(join(folder, 'b'))]
    const theirs = await openLedger(path, { origin: other })
    for (let round = 0; round < 5; round++) await theirs.recordUnit(KEY, UNIT)
    await theirs.close()
    const ours = await openLedger(path, { origin: mine })
    await ours.renewUnit(KEY, { ...UNIT, digest: 'renewed' })
    expect(ours.isOwn(KEY)).toBe(false)
    await ours.recordUnit(KEY, UNIT)
    for (let round = 0; round < 5; round++) await ours.renewUnit(KEY, { ...UNIT, digest: `r${round}` })
    await ours.close()
    expect(await reopened(path, mine)).toBe(true)
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(2)
  })
})

describe('a line of a ledger', () => {
  const unit = (change: object) => ({ type: 'unit', key: KEY, unit: { ...UNIT, ...change } })
  const sent = (key: string, name: string) => ({
    type: 'sent',
    target: 's3://b',
    key,
    objects: { [name]: { sha256: 'x', sizeBytes: 1, etag: null } },
  })
  it.each([
    ['a key that climbs', { ...unit({}), key: '../../etc/cues/a/b' }],
    ['a key from the root', { ...unit({}), key: '/etc/cues/a/b' }],
    ['a key with a dot', { ...unit({}), key: 'foigoi/./cues/a/b' }],
    ['a key with a backslash', { ...unit({}), key: 'foigoi/v1/cues/a\\..\\b/c' }],
    ['a key with a NUL', { ...unit({}), key: 'foigoi/v1/cues/a\0/b' }],
    ['a key with a line of its own', { ...unit({}), key: 'foigoi/v1/cues/a\n::error::x/b' }],
    ['a key of the state folder', { ...unit({}), key: '.pregen/v1/cues/a/b' }],
    ['a key of a device', { ...unit({}), key: 'foigoi/v1/cues/CON/b' }],
    ['a key without a variant', { ...unit({}), key: 'foigoi/v1/cues/a' }],
    ['a key too long', { ...unit({}), key: `foigoi/v1/cues/${'a'.repeat(2000)}/b` }],
    ['a name that climbs', unit({ files: [{ ...FILE, name: '../../../../../.ssh/id_rsa' }] })],
    ['a name of another’s', unit({ files: [{ ...FILE, name: 'id_rsa' }] })],
    ['a step 0', unit({ files: [{ ...FILE, name: '0.png' }] })],
    ['a size below nothing', unit({ files: [{ ...FILE, sizeBytes: -1 }] })],
    ['a size beyond all', unit({ files: [{ ...FILE, sizeBytes: 1e300 }] })],
    ['an asset of another unit', unit({ asset: { cue: 'x', variant: 'y' } })],
    ['a part whose name is a command', unit({ parts: { 'x\n::error::': 1 } })],
    ['a duration beyond all', unit({ durationMs: 'Infinity' })],
    ['a part without a bottom', unit({ parts: { prompt: '<deep>' } })],
    ['a file without a bottom', unit({ files: [{ ...FILE, more: '<deep>' }] })],
    ['an object that climbs', sent(KEY, '../x')],
    ['an object under a key that climbs', sent('foigoi/../..', 'manifest.json')],
  ])('with %s is none of ours', async (_, line) => {
    const path = join(await temporaryFolder(), 'out/.pregen/ledger.ndjson')
    mkdirSync(join(path, '..'), { recursive: true })
    const deep = '['.repeat(50_000) + ']'.repeat(50_000)
    const text = JSON.stringify(line).replace('"<deep>"', deep).replace('"Infinity"', '1e999')
    writeFileSync(path, `${text}\n`)
    const ledger = await openLedger(path)
    expect([ledger.damagedLines, ledger.units.size, ledger.sent.size]).toEqual([1, 0, 0])
    await ledger.close()
    expect(readFileSync(path, 'utf8')).toBe('')
  })

  it('of any length and depth is read in bounded memory', async () => {
    const path = join(await temporaryFolder(), 'out/.pregen/ledger.ndjson')
    mkdirSync(join(path, '..'), { recursive: true })
    const long = Buffer.alloc(40 * 1024 * 1024, '[')
    const whole = `${JSON.stringify(unit({}))}\n`
    writeFileSync(path, Buffer.concat([Buffer.from(whole), long, Buffer.from(`\n${whole}torn`)]))
    const before = process.memoryUsage().arrayBuffers
    const ledger = await openLedger(path)
    expect([ledger.damagedLines, ledger.units.size]).toEqual([1, 1])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(60 * 1024 * 1024)
    await ledger.close()
  })
})
