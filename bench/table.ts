/** From measurements to the table that docs/performance.md shows. */
import type { Measurement } from './measure.ts'
import { gainsOf } from './pairs.ts'
import { median, medianInterval } from './statistics.ts'

export interface Column {
  readonly title: string
  readonly value: (row: Row) => string
}

export interface Row {
  readonly title: string
  readonly rounds: readonly Measurement[]
  /** Of the same rounds with previews off; empty where they were not measured. */
  readonly off: readonly Measurement[]
  /** Of the same rounds with a preview at every fourth step; empty for the row without previews. */
  readonly paired: readonly Measurement[]
  /** Weights that are in memory while the peak is reached: denoiser, VAE decoder, preview decoder if used. */
  readonly weightBytes: number
}

/** (wall − model load) ÷ Σ session.run: 1 would be a tool that costs nothing. */
export function overheadOf({ wallMs, modelLoadMs, sessionRunMs }: Measurement): number {
  return (wallMs - modelLoadMs) / sessionRunMs
}

/** The same, with what comes before a run's own clock: Node's start and the loading of modules. */
export function processOverheadOf({ outsideMs, modelLoadMs, sessionRunMs }: Measurement): number {
  return (outsideMs - modelLoadMs) / sessionRunMs
}

/** Milliseconds of processor time that a preview takes outside the threads of the models. NaN where no round was counted. */
export function cpuPerPreview({ rounds, off }: Row): number {
  const without = median(off.map(({ ownCpuMs }) => ownCpuMs).filter(Number.isFinite))
  const spent = rounds.map(({ ownCpuMs, previews }) => (ownCpuMs - without) / previews)
  return median(spent.filter(Number.isFinite))
}

const MIB = 2 ** 20
const of = (row: Row, pick: (round: Measurement) => number) => median(row.rounds.map(pick))

const COLUMNS: readonly Column[] = [
  { title: 'Previews', value: (row) => row.title },
  { title: 'wall − load, s', value: (row) => (of(row, (r) => r.wallMs - r.modelLoadMs) / 1000).toFixed(2) },
  { title: 'Σ session.run, s', value: (row) => (of(row, (r) => r.sessionRunMs) / 1000).toFixed(2) },
  {
    title: '(wall − load) ÷ Σ',
    value: (row) => {
      const all = row.rounds.map(overheadOf)
      return `${median(all).toFixed(3)} (${Math.min(...all).toFixed(3)} … ${Math.max(...all).toFixed(3)})`
    },
  },
  { title: 'process', value: (row) => of(row, processOverheadOf).toFixed(3) },
  { title: 'step, ms', value: (row) => of(row, (r) => median(r.stepMs)).toFixed(0) },
  { title: 'a preview adds to a step', value: (row) => gainText(gainsOf(row.paired)) },
  {
    title: 'its CPU, ms',
    value: (row) => {
      const spent = cpuPerPreview(row)
      return Number.isFinite(spent) ? spent.toFixed(1) : '–'
    },
  },
  { title: 'previews', value: (row) => of(row, (r) => r.previews).toFixed(0) },
  { title: 'uploads', value: (row) => of(row, (r) => r.uploaded).toFixed(0) },
  {
    title: 'peak − weights, MiB',
    value: (row) => ((of(row, (r) => r.peakRssBytes) - row.weightBytes) / MIB).toFixed(0),
  },
]

/** The median and where it lies with 95 % certainty. */
function gainText(gains: readonly number[]): string {
  if (gains.length === 0) return '–'
  const range = medianInterval(gains)
  return `${percent(median(gains))}${range === null ? '' : ` (${percent(range[0])} … ${percent(range[1])})`}`
}

function percent(share: number): string {
  return `${share < 0 ? '−' : '+'}${Math.abs(share * 100).toFixed(1)} %`
}

/** A Markdown table, its columns aligned for the eye too. */
export function formatTable(rows: readonly Row[]): string {
  const cells = [
    COLUMNS.map(({ title }) => title),
    ...rows.map((row) => COLUMNS.map(({ value }) => value(row))),
  ]
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)))
  const lines = cells.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`)
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}
