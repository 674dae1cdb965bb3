import { expect, it } from 'vitest'
import { estimatePlan } from '../../src/plan/estimate.ts'
import { recordedTimings } from '../../src/tasks/plan-sheet.ts'
import { begin, createDrawing, pictureOf } from '../run/drawing.ts'
import { unitOf } from './helpers.ts'

const TIMING = { model: 'backdrop', width: 128, height: 128, steps: 10, durationMs: 1000 }

it('counts files and steps', () => {
  const units = [unitOf(), unitOf({ previews: null, steps: 8, executedSteps: 4 })]
  expect(estimatePlan(units)).toMatchObject({ files: 8, steps: 9, expectedMs: null })
  expect(estimatePlan([])).toEqual({ files: 0, bytes: 0, steps: 0, expectedMs: 0, timedUnits: 0 })
})

it('knows latent previews for small, and more pixels for more bytes', () => {
  const large = estimatePlan([unitOf()]).bytes
  const small = estimatePlan([
    unitOf({ previews: { method: 'latent2rgb', every: 1, source: 'denoised', size: 'latent' } }),
  ]).bytes
  const plain = estimatePlan([unitOf({ previews: null })]).bytes
  expect(large).toBeGreaterThan(small)
  expect(small).toBeGreaterThan(plain)
  expect(plain).toBeGreaterThan(10_000)
  expect(estimatePlan([unitOf({ previews: null, width: 256 })]).bytes / plain).toBeCloseTo(2, 3)
  expect(estimatePlan([unitOf({ previews: null, thumbnail: true })]).bytes).toBeGreaterThan(plain)
})

it('expects the time that earlier units took a step', () => {
  expect(estimatePlan([unitOf({ executedSteps: 5 })], [TIMING]).expectedMs).toBe(500)
  expect(
    estimatePlan([unitOf({ executedSteps: 5 })], [TIMING, { ...TIMING, durationMs: 3000 }]).expectedMs,
  ).toBe(1000)
})

it('scales a known model to another size by its pixels', () => {
  expect(estimatePlan([unitOf({ executedSteps: 5, width: 256 })], [TIMING]).expectedMs).toBe(1000)
  expect(
    estimatePlan(
      [unitOf({ executedSteps: 1, width: 256 })],
      [TIMING, { ...TIMING, width: 256, durationMs: 7000 }],
    ).expectedMs,
  ).toBe(700)
})

it('tells a video by one of its own length, else by its work', () => {
  const video = { numFrames: 5, guided: false }
  const timing = { ...TIMING, ...video }
  const own = unitOf({ executedSteps: 5, ...video })
  expect(estimatePlan([own], [timing])).toMatchObject({ expectedMs: 500, timedUnits: 1 })
  const longer = { ...own, numFrames: 9 }
  // Twice the frames are four times the work here.
  const workOf = ({ numFrames = 0 }) => (numFrames === 9 ? 4 : 1)
  expect(estimatePlan([longer], [timing], workOf).expectedMs).toBe(2000)
  expect(
    estimatePlan([own], [timing, { ...timing, numFrames: 9, durationMs: 9000 }], workOf).expectedMs,
  ).toBe(500)
  // Guidance evaluates the denoiser twice: another time.
  const guided = { ...timing, guided: true, durationMs: 2000 }
  expect(estimatePlan([own, { ...own, guided: true }], [timing, guided]).expectedMs).toBe(1500)
  expect(estimatePlan([own], [{ ...timing, model: 'other' }])).toMatchObject({
    expectedMs: null,
    timedUnits: 0,
  })
})

it('expects nothing of a model that has never run', () => {
  expect(estimatePlan([unitOf(), unitOf({ model: 'sdxl' })], [TIMING]).expectedMs).toBeNull()
  expect(estimatePlan([unitOf()], [{ ...TIMING, steps: 0 }]).expectedMs).toBeNull()
})

it('counts the time of a batch once, however many units were in it', async () => {
  const unit = { batch: 2, steps: 2, executedSteps: 2 }
  const drawing = await createDrawing({
    units: [unit, unit],
    generate: async (jobs, _, notify) => {
      begin(jobs, notify)
      const shared = { stepDurationsMs: [40_000, 40_000], decodeMs: 20_000 }
      return jobs.map((job) => ({ ...pictureOf(job), ...shared }))
    },
  })
  await drawing.draw()
  expect(drawing.calls.filter((call) => call === 'generate')).toHaveLength(1)
  const timings = recordedTimings(drawing.ledger)
  expect(timings).toHaveLength(2)
  // 100 s for both, and the 5 ms of their one prompt.
  const units = drawing.units.map((entry) => entry.unit)
  expect(estimatePlan(units, timings).expectedMs).toBe(100_005)
})
