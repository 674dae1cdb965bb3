import { closeSync, fstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createRing, createSideFile, openSideFile, type SideFile } from '../../src/engine/side-file.ts'
import { createRandom } from '../support/seed.ts'

const MIB = 1024 * 1024

const opened: SideFile[] = []
afterEach(() => {
  for (const side of opened.splice(0)) side.close()
})

/** Both ends in one process, each with the file. */
function openBoth() {
  const file = openSideFile()
  if (file === null) throw new Error('no place for a side file here')
  const tool = createSideFile(file, 'tool')
  const worker = createSideFile(file, 'worker')
  opened.push(tool)
  return { file, tool, worker }
}

const floats = (length: number, first = 0) => new Float32Array(length).map((_, index) => first + index)
const isBeside = (sent: unknown) => typeof sent === 'object' && sent !== null && 'beside' in sent

describe('a side file', () => {
  it('carries large arrays wherever they stand in a message, each as what it was', () => {
    const { tool, worker } = openBoth()
    const message = {
      kind: 'call',
      id: 3n,
      jobs: [
        { image: floats(50_000), mask: undefined, small: floats(10) },
        { image: new Uint8Array(70_000).fill(7), list: [null, floats(20_000, 5)] },
      ],
    }
    const before = structuredClone(message)
    const sent = tool.put(message)
    expect(isBeside(sent)).toBe(true)
    expect(JSON.stringify(sent, (_, value) => (typeof value === 'bigint' ? 0 : value)).length).toBeLessThan(
      1000,
    )
    expect(message).toEqual(before)
    expect(worker.take(structuredClone(sent))).toEqual(before)
  })

  it('carries a view of a larger memory, and gives each array a memory of its own', () => {
    const { tool, worker } = openBoth()
    const all = floats(100_000)
    const { data } = worker.take(tool.put({ data: all.subarray(30_000, 60_000) })) as { data: Float32Array }
    expect(data).toEqual(floats(30_000, 30_000))
    expect(data.buffer.byteLength).toBe(120_000)
  })

  it('leaves messages without large arrays as they are', () => {
    const { tool, worker } = openBoth()
    const message = { kind: 'call', input: { values: floats(100), other: new Float64Array(MIB) } }
    expect(tool.put(message)).toBe(message)
    expect(worker.take(message)).toBe(message)
  })

  it('goes both ways at once', () => {
    const { tool, worker } = openBoth()
    const [there, back] = [tool.put({ data: floats(100_000) }), worker.put({ data: floats(100_000, 9) })]
    expect(worker.take(there)).toEqual({ data: floats(100_000) })
    expect(tool.take(back)).toEqual({ data: floats(100_000, 9) })
  })

  it('never writes over what is not taken yet; what has no room goes by itself', () => {
    const { tool, worker } = openBoth()
    const random = createRandom('side file')
    const waiting: { sent: unknown; value: number; length: number }[] = []
    let beside = 0
    let alone = 0
    const takeOne = () => {
      const { sent, value, length } = waiting.shift()!
      const { data } = worker.take(sent) as { data: Float32Array<ArrayBuffer> }
      const expected = new Float32Array(length).fill(value)
      expect(Buffer.from(data.buffer).equals(Buffer.from(expected.buffer))).toBe(true)
    }
    for (let value = 1; value <= 200; value++) {
      const length = 20_000 + Math.floor(random() * 2 * MIB)
      const sent = tool.put({ data: new Float32Array(length).fill(value) })
      isBeside(sent) ? beside++ : alone++
      waiting.push({ sent, value, length })
      while (waiting.length > Math.floor(random() * 9)) takeOne()
    }
    while (waiting.length > 0) takeOne()
    expect(beside).toBeGreaterThan(100)
    expect(alone).toBeGreaterThan(5)
  })

  it('is small where each message is taken before the next', () => {
    const { file, tool, worker } = openBoth()
    for (let count = 0; count < 600; count++) worker.take(tool.put({ data: floats(30_000) }))
    expect(fstatSync(file).size).toBeLessThan(MIB)
  })

  it('lets what is larger than itself through the channel', () => {
    const { tool } = openBoth()
    const message = { data: new Uint8Array(33 * MIB) }
    expect(tool.put(message)).toBe(message)
  })

  it('is of no more use once it is closed, nor is one whose file cannot be used', () => {
    const { file, tool, worker } = openBoth()
    const message = { data: floats(MIB) }
    const sent = tool.put(message)
    tool.close()
    opened.length = 0
    expect(tool.put(message)).toBe(message)
    expect(() => tool.take(sent)).toThrow('closed')
    expect(() => fstatSync(file)).toThrow('EBADF')
    expect(worker.put(message)).toBe(message)
    expect(() => worker.take(sent)).toThrow('EBADF')
  })

  it('has no name, and is made in the first folder that takes it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pregen-side-'))
    try {
      const file = openSideFile([join(folder, 'none'), folder])
      expect(file).not.toBeNull()
      expect(fstatSync(file!).nlink).toBe(0)
      closeSync(file!)
      expect(readdirSync(folder)).toEqual([])
      expect(openSideFile([join(folder, 'none')])).toBeNull()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('stretches of one memory', () => {
  it('begin again when all are taken, and go around where there is room', () => {
    const ring = createRing(100)
    expect(ring.roomFor(101)).toBeNull()
    const keep = (bytes: number) => {
      const start = ring.roomFor(bytes)
      if (start !== null) ring.keep(start, start + bytes)
      return start
    }
    expect([keep(40), keep(40), keep(40)]).toEqual([0, 40, null])
    ring.drop(1)
    expect([keep(20), keep(30), keep(11), keep(10), keep(1)]).toEqual([80, 0, null, 30, null])
    ring.drop(4)
    expect(keep(100)).toBe(0)
  })
})
