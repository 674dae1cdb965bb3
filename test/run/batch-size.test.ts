/** How many pictures a call pay: the search itself, and a device that takes them. */
import { describe, expect, it } from 'vitest'
import type { PictureJob } from '../../src/engine/inference-calls.ts'
import { PregenError } from '../../src/errors.ts'
import type { ModelFacts } from '../../src/plan/model-facts.ts'
import { createBatchSize } from '../../src/run/batch-size.ts'
import { SD_FACTS } from '../plan/helpers.ts'
import fc from '../support/seed.ts'
import {
  begin,
  createDrawing,
  type Drawing,
  type DrawingOptions,
  eventsOf,
  type Notify,
  pictureOf,
} from './drawing.ts'

/** Draws until nothing more is tried. @param costOf milliseconds of a step of a call */
function settle(most: number, costOf: (pictures: number) => number) {
  const size = createBatchSize(most)
  const asked: number[] = []
  while (size.isOpen()) {
    const pictures = size.next()
    asked.push(pictures)
    // The first step has what other calls do not.
    size.note(pictures, [1e6, costOf(pictures), costOf(pictures)])
  }
  return { asked, chosen: size.next() }
}

describe('the number of pictures a call', () => {
  it('doubles for as long as a picture gets cheaper', () => {
    expect(settle(64, (pictures) => 10 + pictures)).toEqual({ asked: [1, 2, 4, 8, 16, 32, 64], chosen: 64 })
    // From 4 on the device is full.
    expect(settle(64, (pictures) => 10 * Math.max(4, pictures))).toEqual({ asked: [1, 2, 4, 8], chosen: 4 })
    expect(settle(64, (pictures) => 10 * pictures)).toEqual({ asked: [1, 2], chosen: 1 })
  })

  it('never passes what memory holds, and is never slower for a picture than the next smaller one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.double({ min: 0.1, max: 100, noNaN: true }), { minLength: 8, maxLength: 8 }),
        (most, perPicture) => {
          const costOf = (pictures: number) => pictures * perPicture[Math.log2(pictures)]!
          const { asked, chosen } = settle(most, costOf)
          expect(Math.max(chosen, ...asked)).toBeLessThanOrEqual(Math.min(most, 64))
          if (chosen > 1) expect(costOf(chosen) / chosen).toBeLessThan(costOf(chosen / 2) / (chosen / 2))
        },
      ),
    )
  })

  it('is halved for good by a call that failed', () => {
    const size = createBatchSize(64)
    for (const ms of [10, 12]) size.note(size.next(), [ms, ms])
    expect(size.next()).toBe(4)
    size.fail(4)
    expect([size.next(), size.isOpen()]).toEqual([2, false])
    // One that was drawn alone tells nothing of others.
    size.fail(1)
    expect(size.next()).toBe(2)
  })

  it('learns nothing of the smaller call at the end of a queue', () => {
    const size = createBatchSize(64)
    size.note(1, [10, 10])
    size.note(1, [1, 1])
    expect([size.next(), [...size.measured()]]).toEqual([2, [[1, 10]]])
  })
})

const WITHOUT_MEMORY = { ...SD_FACTS, memory: undefined }
const MANY = new Array(24).fill({})

describe('a device with --batch auto', () => {
  const play = async (costOf: (pictures: number) => number, more: Partial<DrawingOptions> = {}) => {
    const calls: number[] = []
    const drawing = await createDrawing({
      units: MANY,
      options: { batch: 'auto' },
      provider: 'cuda',
      facts: WITHOUT_MEMORY,
      async generate(jobs: readonly PictureJob[], _: Drawing, notify: Notify) {
        const [{ steps } = { steps: 0 }] = jobs
        begin(jobs, notify)
        if (steps > 2) calls.push(jobs.length)
        return jobs.map((job) => ({
          ...pictureOf(job),
          stepDurationsMs: new Array<number>(steps).fill(costOf(jobs.length)),
        }))
      },
      ...more,
    })
    const units = drawing.units.map((entry) => ({ ...entry, unit: { ...entry.unit, steps: 5, batch: 1 } }))
    await drawing.draw(units)
    return { drawing, calls }
  }

  it('finds the size on the pictures themselves, and tells it once', async () => {
    const { drawing, calls } = await play((pictures) => 10 * Math.max(4, pictures))
    expect(calls.slice(0, 5)).toEqual([1, 2, 4, 8, 4])
    expect(calls.reduce((sum, count) => sum + count, 0)).toBe(24)
    expect(eventsOf(drawing.events, 'batch-chosen')).toEqual([
      {
        type: 'batch-chosen',
        ...{ device: 'cpu:0', width: 8, height: 8, batch: 4 },
        stepMs: [
          { batch: 1, ms: 40 },
          { batch: 2, ms: 20 },
          { batch: 4, ms: 10 },
          { batch: 8, ms: 10 },
        ],
      },
    ])
    expect(drawing.counts()).toEqual({ done: 24, failed: 0 })
  })

  it('leaves the last pictures to all devices', async () => {
    const { drawing, calls } = await play((pictures) => 1 / pictures, { devices: 2 })
    expect(drawing.counts()).toEqual({ done: 24, failed: 0 })
    expect(Math.max(...calls)).toBeLessThanOrEqual(12)
  })

  it('takes fewer where the card is full, and draws those alone', async () => {
    const calls: number[] = []
    const { drawing } = await play(() => 1, {
      async generate(jobs, _, notify) {
        begin(jobs, notify)
        if ((jobs[0]?.steps ?? 0) > 2) calls.push(jobs.length)
        if (jobs.length > 4) throw new PregenError('E_GPU_OUT_OF_MEMORY', 'the card is full')
        return jobs.map((job) => ({ ...pictureOf(job), stepDurationsMs: new Array<number>(5).fill(1) }))
      },
    })
    expect(drawing.counts()).toEqual({ done: 24, failed: 0 })
    expect(calls.slice(0, 4)).toEqual([1, 2, 4, 8])
    expect(calls.slice(12).every((count) => count <= 4)).toBe(true)
    expect(eventsOf(drawing.events, 'batch-chosen').map(({ batch }) => batch)).toEqual([4])
  })

  it('draws one at a time on the CPU where memory cannot be reckoned, of videos, and where the export has it built in', async () => {
    const sizes = async (more: Partial<DrawingOptions>) => [...new Set((await play(() => 1, more)).calls)]
    expect(await sizes({ provider: 'cpu' })).toEqual([1])
    const fixed = { rows: 1 } as ModelFacts['fixed']
    expect(await sizes({ facts: { ...WITHOUT_MEMORY, fixed } })).toEqual([1])
    const video = { fps: 16 } as ModelFacts['video']
    expect(await sizes({ facts: { ...WITHOUT_MEMORY, video } })).toEqual([1])
  })

  it('takes the number that it is told over that of the sheet', async () => {
    const { calls } = await play(() => 1, { options: { batch: 8 } })
    expect(calls).toEqual([8, 8, 8])
  })
})
