import { describe, expect, it } from 'vitest'
import { formatBytes, formatDuration, formatTable } from '../../src/cli/reporters/format.ts'
import { plural } from '../../src/printable.ts'

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [849.6, '850 ms'],
    [999.7, '1.0 s'],
    [12_340, '12.3 s'],
    [59_960, '1 min 00 s'],
    [245_000, '4 min 05 s'],
    [3_599_600, '1 h 00 min'],
    [7_620_000, '2 h 07 min'],
  ])('%d ms is %s', (ms, face) => {
    expect(formatDuration(ms)).toBe(face)
  })
})

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1500, '1.5 kB'],
    [99_960, '100 kB'],
    [999_600, '1.0 MB'],
    [812_400_000, '812 MB'],
    [2e15, '2000 TB'],
  ])('%d is %s', (bytes, face) => {
    expect(formatBytes(bytes)).toBe(face)
  })
})

describe('plural', () => {
  it('leaves one alone', () => {
    expect([0, 1, 2].map((count) => plural(count, 'unit'))).toEqual(['0 units', '1 unit', '2 units'])
  })
})

describe('formatTable', () => {
  it('lines columns up and leaves no space at the ends', () => {
    const rows = [
      ['dawn/wide', 'run'],
      ['storm', 'skip'],
    ]
    expect(formatTable(['unit', 'action'], rows)).toEqual([
      'unit       action',
      '─────────  ──────',
      'dawn/wide  run',
      'storm      skip',
    ])
  })
})
