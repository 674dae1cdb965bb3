import { describe, expect, it } from 'vitest'
import type { Measurement } from '../../bench/measure.ts'
import { median } from '../../bench/statistics.ts'
import { formatTable, gainOf, overheadOf, type Row } from '../../bench/table.ts'

const measurement = (changes: Partial<Measurement>): Measurement => ({
  wallMs: 1100,
  modelLoadMs: 100,
  sessionRunMs: 1000,
  peakRssBytes: 300 * 2 ** 20,
  stepMs: [90, 100, 110, 100],
  previews: 0,
  previewsFailed: 0,
  uploaded: 1,
  outsideMs: 1200,
  ...changes,
})

describe('the figures of the bench', () => {
  it('takes the middle', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([])).toBeNaN()
  })

  it('sets wall without loading against the time in session.run', () => {
    expect(overheadOf(measurement({ wallMs: 1130, modelLoadMs: 100 }))).toBeCloseTo(1.03, 12)
  })

  it('pairs rounds, so that a slow round is not taken for the price of previews', () => {
    const off = [measurement({}), measurement({ wallMs: 2100 }), measurement({})]
    const rounds = [1104, 2104, 1104].map((wallMs) => measurement({ wallMs }))
    // 4 ms over 4 steps of 100 ms.
    expect(gainOf({ title: 'x', rounds, off, weightBytes: 0 })).toBeCloseTo(0.01, 12)
  })

  it('prints a table with a row each, and no gain for the row without previews', () => {
    const off = [measurement({})]
    const rows: Row[] = [
      { title: 'off', rounds: off, off, weightBytes: 100 * 2 ** 20 },
      {
        title: 'full',
        rounds: [measurement({ wallMs: 1500, previews: 4 })],
        off,
        weightBytes: 100 * 2 ** 20,
      },
    ]
    const [head, rule, first, second] = formatTable(rows)
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
    expect(head?.[1]).toBe('Previews')
    expect(rule?.[1]).toMatch(/^-+$/)
    expect(first).toEqual([
      '',
      'off',
      '1.00',
      '1.00',
      '1.000 (1.000 … 1.000)',
      '100',
      '–',
      '0',
      '1',
      '200',
      '',
    ])
    expect(second).toEqual([
      '',
      'full',
      '1.40',
      '1.00',
      '1.400 (1.400 … 1.400)',
      '100',
      '+100.0 %',
      '4',
      '1',
      '200',
      '',
    ])
  })
})
