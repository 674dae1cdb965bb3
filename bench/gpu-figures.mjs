/**
 * Figures of a run from its events, or of two trees from their pictures.
 *
 *     node bench/gpu-figures.mjs events EVENTS.ndjson TITLE
 *     node bench/gpu-figures.mjs pictures TREE TREE
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const [what, left, right] = process.argv.slice(2)

if (what === 'events') {
  const events = readFileSync(left, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const steps = events.filter(({ type }) => type === 'step')
  const end = events.find(({ type }) => type === 'run-finished')
  const own = median(steps.filter(({ step }) => step > 1).map(({ durationMs }) => durationMs))
  const first = steps.find(({ step }) => step === 1)?.durationMs
  const warm = events.filter(({ type }) => type === 'device-warmed').map(({ durationMs }) => durationMs)
  const overhead = end
    ? (end.wallMs - end.modelLoadMs - warm.reduce((a, b) => a + b, 0)) / end.sessionRunMs
    : Number.NaN
  const cells = [
    right,
    `${end?.done ?? 0} done, ${end?.failed ?? '?'} failed`,
    `${own} ms/step`,
    `step 1 ÷ median ${(first / own).toFixed(2)}`,
    `without warm-up ${warm.length ? ((first + warm[0]) / own).toFixed(1) : '–'}`,
    `(wall − load − warm-up) ÷ Σ ${overhead.toFixed(3)}`,
    `load ${end?.modelLoadMs} ms`,
    `peak ${Math.round((end?.peakRssBytes ?? 0) / 2 ** 20)} MiB`,
  ]
  console.log(`| ${cells.join(' | ')} |`)
} else if (what === 'pictures') {
  const finals = readdirSync(left, { recursive: true }).filter((name) => name.endsWith('final.png'))
  let values = 0
  let largest = 0
  let beyondOne = 0
  for (const name of finals) {
    const [a, b] = await Promise.all([left, right].map((tree) => sharp(join(tree, name)).raw().toBuffer()))
    for (let at = 0; at < a.length; at++) {
      const difference = Math.abs(a[at] - b[at])
      if (difference > largest) largest = difference
      if (difference > 1) beyondOne++
    }
    values += a.length
  }
  const share = ((100 * beyondOne) / Math.max(values, 1)).toFixed(4)
  console.log(`${finals.length} pictures: at most ${largest} levels apart, ${share} % of values more than 1`)
} else {
  console.error('events EVENTS.ndjson TITLE | pictures TREE TREE')
  process.exitCode = 2
}
