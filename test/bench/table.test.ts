import { describe, expect, it } from 'vitest'
import type { Measurement } from '../../bench/measure.ts'
import { gainsOf } from '../../bench/pairs.ts'
import { median, medianInterval } from '../../bench/statistics.ts'
import { cpuPerPreview, formatTable, overheadOf, processOverheadOf, type Row } from '../../bench/table.ts'

const measurement = (changes: Partial<Measurement>): Measurement => ({
  wallMs: 1100,
  modelLoadMs: 100,
  sessionRunMs: 1000,
  peakRssBytes: 300 * 2 ** 20,
  stepMs: [90, 100, 110, 100],
  stepEnds: [],
  ownCpuMs: 400,
  previews: 0,
  previewsFailed: 0,
  uploaded: 1,
  outsideMs: 1200,
  ...changes,
})

/** Ends of steps of 100 ms each, and `extra` in the step that follows every fourth. */
function endsWith(extra: number, steps: number, drift = 0): number[] {
  const ends: number[] = []
  for (let step = 1, at = 0; step <= steps; step++) {
    at += 100 + drift * step + (step > 4 && step % 4 === 1 ? extra : 0)
    ends.push(at)
  }
  return ends
}

describe('the figures of the bench', () => {
  it('takes the middle', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([])).toBeNaN()
  })

  it('says how sure the middle is', () => {
    const values = Array.from({ length: 101 }, (_, i) => 100 - i)
    expect(medianInterval(values)).toEqual([40, 60])
    expect(medianInterval([1, 2, 3, 4, 5])).toBeNull()
  })

  it('sets wall without loading against the time in session.run', () => {
    expect(overheadOf(measurement({ wallMs: 1130, modelLoadMs: 100 }))).toBeCloseTo(1.03, 12)
    expect(processOverheadOf(measurement({ outsideMs: 1230 }))).toBeCloseTo(1.13, 12)
  })

  it('compares the steps behind a preview with their neighbours', () => {
    expect(gainsOf([measurement({ stepEnds: [endsWith(3, 20)] })])).toEqual([0.03, 0.03, 0.03, 0.03])
    expect(gainsOf([measurement({ stepEnds: [endsWith(0, 20)] })])).toEqual([0, 0, 0, 0])
    // The last preview has no steps behind it; one window of a picture of 11 steps is whole.
    expect(gainsOf([measurement({ stepEnds: [endsWith(3, 11)] })])).toHaveLength(1)
    expect(gainsOf([measurement({ stepEnds: [endsWith(3, 7)] })])).toEqual([])
  })

  it('is hardly moved by a machine that slows down meanwhile', () => {
    const gains = gainsOf([measurement({ stepEnds: [endsWith(3, 20, 0.2)] })])
    for (const gain of gains) expect(gain).toBeCloseTo(0.03, 1)
  })

  it('shares out the processor time that a run without previews does not take', () => {
    const off = [measurement({}), measurement({ ownCpuMs: 410 }), measurement({ ownCpuMs: 390 })]
    const rounds = [480, 500, 520].map((ownCpuMs) => measurement({ ownCpuMs, previews: 40 }))
    const row = { title: 'x', paired: [], weightBytes: 0 }
    expect(cpuPerPreview({ ...row, rounds, off })).toBeCloseTo(2.5, 12)
    // A process that was gone before its threads were read has no figure.
    const gone = measurement({ ownCpuMs: Number.NaN, previews: 40 })
    expect(cpuPerPreview({ ...row, rounds: [gone, ...rounds], off: [gone, ...off] })).toBeCloseTo(2.5, 12)
    expect(cpuPerPreview({ ...row, rounds: [gone], off })).toBeNaN()
  })

  it('prints a table with a row each, and no gain for the row without previews', () => {
    const off = [measurement({})]
    const rows: Row[] = [
      { title: 'off', rounds: off, off: [], paired: [], weightBytes: 100 * 2 ** 20 },
      {
        title: 'full',
        rounds: [measurement({ wallMs: 1500, previews: 4, ownCpuMs: 440 })],
        off,
        paired: [measurement({ stepEnds: [endsWith(5, 40)] })],
        weightBytes: 100 * 2 ** 20,
      },
    ]
    const lines = formatTable(rows).split('\n')
    const [head, rule, first, second] = lines.map((line) => line.split('|').map((cell) => cell.trim()))
    expect(head?.[1]).toBe('Previews')
    expect(rule?.[1]).toMatch(/^-+$/)
    const shared = ['1.000 (1.000 … 1.000)', '1.100', '100', '–', '–', '0', '1', '200', '']
    expect(first).toEqual(['', 'off', '1.00', '1.00', ...shared])
    const gain = '+5.0 % (+5.0 % … +5.0 %)'
    const ratio = '1.400 (1.400 … 1.400)'
    expect(second).toEqual([
      '',
      'full',
      '1.40',
      '1.00',
      ratio,
      '1.100',
      '100',
      gain,
      '10.0',
      '4',
      '1',
      '200',
      '',
    ])
  })
})
