import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { PregenError } from '../../src/errors.ts'
import { drawModel } from '../../src/run/draw-model.ts'
import { createDrawing, type Drawing, eventsOf, expectRequests, pictureOf } from './drawing.ts'

const draw = ({ context, model, units }: Drawing) => drawModel(context, model, units)
const failures = ({ events }: Drawing) =>
  eventsOf(events, 'unit-failed').map(({ variant, code }) => `${variant} ${code}`)

describe('drawModel', () => {
  it('opens, encodes each prompt once, draws in the order of the sheet, and closes', async () => {
    const drawing = await createDrawing({ units: [{}, {}, { prompt: 'a sea' }] })
    await draw(drawing)
    expectRequests(drawing, ['open', 'encode', 'load-denoiser', 'generate', 'generate', 'generate', 'close'])
    const [encode] = drawing.requests.filter((request) => request.type === 'encode')
    expect(encode?.prompts.map(({ request }) => request.prompt)).toEqual(['a hill', 'a sea'])
    const finished = eventsOf(drawing.events, 'unit-finished').map(({ variant }) => variant)
    expect(finished.sort()).toEqual(['v0', 'v1', 'v2'])
    expect(drawing.counts).toEqual({ done: 3, failed: 0 })
  })

  it('closes a model that did not load, so that the next one finds room', async () => {
    const drawing = await createDrawing({
      units: [{}],
      loadDenoiser() {
        throw new PregenError('E_MODEL_LOAD_FAILED', 'unet: no memory')
      },
    })
    await expect(draw(drawing)).rejects.toMatchObject({ code: 'E_MODEL_LOAD_FAILED' })
    expectRequests(drawing, ['open', 'encode', 'load-denoiser', 'close'])
  })

  it('draws the units of a batch that failed one by one, and fails only the one at fault', async () => {
    const batch = { batch: 3 }
    const drawing = await createDrawing({
      units: [batch, batch, batch],
      async generate(jobs) {
        if (jobs.some(({ unit }) => unit === 1)) throw new PregenError('E_NUMERIC_FAULT', 'NaN')
        return jobs.map(pictureOf)
      },
    })
    await draw(drawing)
    expect(failures(drawing)).toEqual(['v1 E_NUMERIC_FAULT'])
    expect(drawing.counts).toEqual({ done: 2, failed: 1 })
  })

  it('puts prompts of unequal chunks into different batches', async () => {
    const weighted = { batch: 4, promptSyntax: 'a1111' } as const
    const prompts = ['a', 'b', 'long', 'longer', 'c']
    const drawing = await createDrawing({
      units: prompts.map((prompt) => ({ ...weighted, prompt })),
      tokensOf: (prompt) => (prompt.startsWith('long') ? 154 : 77),
    })
    await draw(drawing)
    const drawn = drawing.requests.flatMap((asked) => (asked.type === 'generate' ? [asked.jobs.length] : []))
    expect(drawn).toEqual([2, 2, 1])
    expect(drawing.counts).toEqual({ done: 5, failed: 0 })
  })

  it('forgets previews that failed in a batch when the unit is drawn alone', async () => {
    const previews = { method: 'full', every: 2, source: 'denoised', size: 'image' } as const
    const drawing = await createDrawing({
      units: [
        { batch: 2, previews },
        { batch: 2, previews },
      ],
      async generate(jobs, { context }) {
        for (const { unit } of jobs) context.active.get(unit)?.begin()
        if (jobs.length > 1) {
          for (const { unit } of jobs) context.active.get(unit)?.previewFailed(2, new Error('no memory'))
          throw new PregenError('E_STAGE_FAILED', 'no memory for two')
        }
        const pictures = jobs.map(pictureOf)
        for (const { unit, image } of pictures) await context.active.get(unit)?.takePreview(2, image)
        return pictures
      },
    })
    await draw(drawing)
    expect(drawing.counts).toEqual({ done: 2, failed: 0 })
    const folder = drawing.layout.variantFolder('dawn', 'v0')
    expect(JSON.parse(await readFile(join(folder, 'timing.json'), 'utf8'))).toHaveProperty('stepDurations.2')
  })

  it('touches nothing of the units behind the one at which the worker died', async () => {
    const drawing = await createDrawing({
      units: Array.from({ length: 12 }, () => ({})),
      async generate(jobs, { kill }) {
        if (jobs[0]?.unit === 1) kill()
        return jobs.map(pictureOf)
      },
    })
    const last = drawing.layout.variantFolder('dawn', 'v11')
    await mkdir(last, { recursive: true })
    await writeFile(join(last, '1.png'), 'of an earlier run')
    await expect(draw(drawing)).rejects.toMatchObject({ code: 'E_WORKER_DIED' })
    expect(await readFile(join(last, '1.png'), 'utf8')).toBe('of an earlier run')
    expect(drawing.counts.done).toBe(1)
  })

  it('times a unit from when the worker takes it up, not from when it was queued', async () => {
    // One request at a time, as the worker answers them; long enough to outweigh the writing of files.
    let queue: Promise<unknown> = Promise.resolve()
    const drawing = await createDrawing({
      units: [{}, {}, {}, {}],
      generate(jobs, { context }) {
        const drawn = queue.then(async () => {
          for (const { unit } of jobs) context.active.get(unit)?.begin()
          await new Promise((resolve) => setTimeout(resolve, 300))
          return jobs.map(pictureOf)
        })
        queue = drawn
        return drawn
      },
    })
    const startedAt = performance.now()
    await draw(drawing)
    const wholeMs = performance.now() - startedAt
    const durations = eventsOf(drawing.events, 'unit-finished').map(({ durationMs }) => durationMs)
    expect(durations).toHaveLength(4)
    expect(durations.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(1.75 * wholeMs)
  })

  it('stops at the first failure under --fail-fast; what was not tried is neither done nor failed', async () => {
    const drawing = await createDrawing({
      units: Array.from({ length: 20 }, () => ({})),
      options: { failFast: true },
      async generate() {
        throw new PregenError('E_NUMERIC_FAULT', 'NaN')
      },
    })
    await draw(drawing)
    expect(drawing.counts.done).toBe(0)
    expect(drawing.counts.failed).toBeGreaterThan(0)
    expect(drawing.counts.failed).toBeLessThan(4)
  })

  it('fails a unit whose init image was replaced since the plan was made', async () => {
    const drawing = await createDrawing({ units: [{}] })
    const source = join(drawing.layout.out, 'stage.png')
    await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).toFile(source)
    const [entry] = drawing.units
    if (!entry) throw new Error('there is one unit')
    const unit = { ...entry.unit, image: { source, fit: undefined }, denoiseStrength: 0.5 }
    const planned = { ...entry, unit, parts: { imageSha256: '0'.repeat(64) } }
    await drawModel(drawing.context, drawing.model, [planned])
    expect(failures(drawing)).toEqual(['v0 E_IMAGE_CHANGED'])
  })
})

describe('the live file', () => {
  it('costs a warning when it cannot be written, and neither preview nor picture', async () => {
    const previews = { method: 'full', every: 1, source: 'denoised', size: 'image' } as const
    const drawing = await createDrawing({
      units: [{ previews }],
      options: { liveFile: true },
      async generate(jobs, { context }) {
        const pictures = jobs.map(pictureOf)
        for (const { unit, image } of pictures) {
          for (const step of [1, 2]) await context.active.get(unit)?.takePreview(step, image)
        }
        return pictures
      },
    })
    await writeFile(drawing.layout.state.liveFolder, 'a file where the folder should be')
    await draw(drawing)
    expect(drawing.counts).toEqual({ done: 1, failed: 0 })
    expect(eventsOf(drawing.events, 'preview-failed')).toEqual([])
    expect(eventsOf(drawing.events, 'warning').map(({ code }) => code)).toContain('W_LIVE_FILE')
  })
})
