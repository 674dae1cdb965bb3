/** Figures of a run from its events, and of two trees from their pictures; for bench/gpu.mjs. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null
const sumOf = (items, of) => items.reduce((sum, item) => sum + of(item), 0)
const round = (value, digits) => (Number.isFinite(value) ? Number(value.toFixed(digits)) : null)

/** @param events of one run, whole or cut off */
export function figuresOf(events) {
  const steps = events.filter(({ type }) => type === 'step')
  const end = events.find(({ type }) => type === 'run-finished')
  const own = median(steps.filter(({ step }) => step > 1).map(({ durationMs }) => durationMs))
  const firsts = steps.filter(({ step }) => step === 1).map(({ durationMs }) => durationMs)
  const warm = events.filter(({ type }) => type === 'device-warmed').map(({ durationMs }) => durationMs)
  const devices = new Set(events.flatMap(({ device }) => (device === undefined ? [] : [device])))
  // Devices load and warm up side by side.
  const loaded = events.filter(({ type }) => type === 'model-loaded')
  const loadMs = sumOf([...new Set(loaded.map(({ model }) => model))], (model) =>
    Math.max(...loaded.filter((one) => one.model === model).map(({ durationMs }) => durationMs)),
  )
  const drawMs = end ? end.wallMs - loadMs - sumOf(warm, Number) / devices.size : Number.NaN
  const chosen = events.findLast(({ type }) => type === 'batch-chosen')
  return {
    provider: end?.provider ?? null,
    devices: [...devices],
    done: end?.done ?? 0,
    failedUnits: end?.failed ?? null,
    stepMs: own,
    // Of the first picture: what the warm-up is for.
    firstStepOverMedian: round(firsts[0] / own, 2),
    firstStepWithoutWarmUp: warm.length > 0 ? round((firsts[0] + warm[0]) / own, 1) : null,
    overhead: end ? round(drawMs / (end.sessionRunMs / devices.size), 3) : null,
    secondsAPicture: end?.done > 0 ? round(drawMs / 1000 / end.done, 2) : null,
    loadMs,
    uploaded: end?.uploaded ?? null,
    peakMib: end ? Math.round(end.peakRssBytes / 2 ** 20) : null,
    ...(chosen ? { batch: chosen.batch, batchStepMs: chosen.stepMs } : {}),
  }
}

/** Of the final pictures of two trees. @throws Error where one lacks what the other has */
export async function comparePictures(left, right) {
  const finals = readdirSync(left, { recursive: true }).filter((name) => name.endsWith('final.png'))
  if (finals.length === 0) throw new Error(`${left} holds no pictures`)
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
  return {
    pictures: finals.length,
    largestLevels: largest,
    percentBeyondOne: round((100 * beyondOne) / values, 4),
  }
}
