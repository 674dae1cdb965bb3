import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it, vi } from 'vitest'
import type { PictureJob } from '../../src/engine/inference-calls.ts'
import { toWireError } from '../../src/engine/wire-error.ts'
import type { ErrorCode } from '../../src/error-codes.ts'
import { PregenError } from '../../src/errors.ts'
import { drawModels } from '../../src/run/draw-models.ts'
import {
  begin,
  createDrawing,
  type Drawing,
  eventsOf,
  expectCalls,
  type Notify,
  pictureOf,
} from './drawing.ts'

const failures = ({ events }: Drawing) =>
  eventsOf(events, 'unit-failed').map(({ variant, code }) => `${variant} ${code}`)

describe('drawModel', () => {
  it('opens, encodes each prompt once, draws in the order of the sheet, and closes', async () => {
    const drawing = await createDrawing({ units: [{}, {}, { prompt: 'a sea' }] })
    await drawing.draw()
    expectCalls(drawing, ['open', 'encode', 'load-denoiser', 'generate', 'generate', 'generate', 'close'])
    expect(drawing.prompts).toEqual(['a hill', 'a sea'])
    const started = eventsOf(drawing.events, 'unit-started').map(({ variant }) => variant)
    expect(started).toEqual(['v0', 'v1', 'v2'])
    const finished = eventsOf(drawing.events, 'unit-finished').map(({ variant }) => variant)
    expect(finished.sort()).toEqual(['v0', 'v1', 'v2'])
    expect(drawing.counts()).toEqual({ done: 3, failed: 0 })
  })

  it('warms a device up once for each size, but not the CPU, and counts that in no unit', async () => {
    const sizes = [{}, {}, { width: 16 }]
    const steps: number[][] = []
    const setup = {
      units: sizes,
      async generate(jobs: readonly PictureJob[], _: Drawing, notify: Notify) {
        steps.push(jobs.map((job) => job.steps))
        begin(jobs, notify)
        return jobs.map(pictureOf)
      },
    }
    const onGpu = await createDrawing({
      ...setup,
      units: sizes.map((unit) => ({ ...unit, steps: 5 })),
      provider: 'cuda',
    })
    await onGpu.draw()
    expect(steps).toEqual([[2], [5], [5], [2], [5]])
    expect(eventsOf(onGpu.events, 'device-warmed').map(({ width, batch }) => [width, batch])).toEqual([
      [8, 1],
      [16, 1],
    ])
    expect(eventsOf(onGpu.events, 'unit-started')).toHaveLength(3)
    steps.length = 0
    const onCpu = await createDrawing(setup)
    await onCpu.draw()
    expect(steps).toHaveLength(3)
    expect(onCpu.counts()).toEqual({ done: 3, failed: 0 })
  })

  it('closes a model that did not load, so that the next one finds room, and fails its units', async () => {
    const drawing = await createDrawing({
      units: [{}],
      loadDenoiser() {
        throw new PregenError('E_MODEL_LOAD_FAILED', 'unet: no memory')
      },
    })
    await drawing.draw()
    expect(failures(drawing)).toEqual(['v0 E_MODEL_LOAD_FAILED'])
    expect(eventsOf(drawing.events, 'unit-failed')[0]?.stage).toBe('load model')
    expectCalls(drawing, ['open', 'encode', 'load-denoiser', 'close'])
  })

  it('ends the run where the provider that was asked for is not there', async () => {
    const drawing = await createDrawing({
      units: [{}],
      loadDenoiser() {
        throw new PregenError('E_PROVIDER_UNAVAILABLE', 'no cuda')
      },
    })
    await expect(drawing.draw()).rejects.toMatchObject({ code: 'E_PROVIDER_UNAVAILABLE' })
  })

  it('draws the units of a batch that failed one by one, and fails only the one at fault', async () => {
    const batch = { batch: 3 }
    const drawing = await createDrawing({
      units: [batch, batch, batch],
      async generate(jobs, _, notify) {
        begin(jobs, notify)
        if (jobs.some(({ unit }) => unit === 1)) throw new PregenError('E_NUMERIC_FAULT', 'NaN')
        return jobs.map(pictureOf)
      },
    })
    await drawing.draw()
    expect(failures(drawing)).toEqual(['v1 E_NUMERIC_FAULT'])
    expect(drawing.counts()).toEqual({ done: 2, failed: 1 })
    // Each is started once, and said to begin again.
    expect(eventsOf(drawing.events, 'unit-started').map(({ variant }) => variant)).toEqual(['v0', 'v1', 'v2'])
    expect(eventsOf(drawing.events, 'unit-restarted').map(({ variant }) => variant)).toEqual([
      'v0',
      'v1',
      'v2',
    ])
  })

  it('lets the units of a batch share its time', async () => {
    const batch = { batch: 2 }
    const drawing = await createDrawing({ units: [batch, batch] })
    await drawing.draw()
    const recorded = [...drawing.ledger.units.values()]
    // Two steps and a decoding of 1 ms for both; 5 ms of the one prompt are the first's.
    expect(recorded.map(({ durationMs }) => durationMs).sort()).toEqual([1.5, 6.5])
    expect(recorded.map(({ asset }) => asset?.metadata.generation_time).sort()).toEqual([0.002, 0.007])
  })

  it('puts prompts of unequal chunks into different batches', async () => {
    const weighted = { batch: 4, promptSyntax: 'a1111' } as const
    const prompts = ['a', 'b', 'long', 'longer', 'c']
    const drawn: number[] = []
    const drawing = await createDrawing({
      units: prompts.map((prompt) => ({ ...weighted, prompt })),
      async generate(jobs, _, notify) {
        drawn.push(jobs.length)
        begin(jobs, notify)
        return jobs.map(pictureOf)
      },
      tokensOf: (prompt) => (prompt.startsWith('long') ? 154 : 77),
    })
    await drawing.draw()
    expect(drawn).toEqual([2, 2, 1])
    expect(drawing.counts()).toEqual({ done: 5, failed: 0 })
  })

  it('forgets previews that failed in a batch when the unit is drawn alone', async () => {
    const previews = { method: 'full', every: 2, source: 'denoised', size: 'image' } as const
    const drawing = await createDrawing({
      units: [
        { batch: 2, previews },
        { batch: 2, previews },
      ],
      async generate(jobs, _, notify) {
        begin(jobs, notify)
        if (jobs.length > 1) {
          const error = toWireError(new Error('no memory'))
          for (const { unit } of jobs) void notify({ type: 'preview-failed', unit, step: 2, error })
          throw new PregenError('E_STAGE_FAILED', 'no memory for two')
        }
        const pictures = jobs.map(pictureOf)
        for (const { unit, image } of pictures) await notify({ type: 'preview', unit, step: 2, image })
        return pictures
      },
    })
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 2, failed: 0 })
    const messages = eventsOf(drawing.events, 'preview-failed').map(({ message }) => message)
    expect(messages).toEqual(['no memory', 'no memory'])
    const folder = drawing.layout.variantFolder('dawn', 'v0')
    expect(JSON.parse(await readFile(join(folder, 'timing.json'), 'utf8'))).toHaveProperty('stepDurations.2')
  })

  it('touches nothing of the units behind the one at which the worker died', async () => {
    const drawing = await createDrawing({
      units: Array.from({ length: 12 }, () => ({})),
      async generate(jobs, { kill }, notify) {
        begin(jobs, notify)
        if (jobs[0]?.unit === 1) kill(true)
        return jobs.map(pictureOf)
      },
    })
    const last = drawing.layout.variantFolder('dawn', 'v11')
    await mkdir(last, { recursive: true })
    await writeFile(join(last, '1.png'), 'of an earlier run')
    await drawing.draw()
    const failed = eventsOf(drawing.events, 'unit-failed')
    expect(failed.map(({ code, stage }) => `${code} ${stage}`)).toEqual(
      new Array(11).fill('E_WORKER_DIED generate'),
    )
    expect(await readFile(join(last, '1.png'), 'utf8')).toBe('of an earlier run')
    expect(drawing.counts().done).toBe(1)
  })

  it('draws on with another process when one died, the unit in its hands again, and says so', async () => {
    let deaths = 0
    const drawing = await createDrawing({
      units: Array.from({ length: 4 }, () => ({})),
      async generate(jobs, { kill }, notify) {
        begin(jobs, notify)
        if (jobs[0]?.unit === 1 && deaths++ === 0) kill()
        return jobs.map(pictureOf)
      },
    })
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 4, failed: 0 })
    expect(drawing.calls.filter((name) => name === 'open')).toHaveLength(2)
    expect(eventsOf(drawing.events, 'unit-started')).toHaveLength(4)
    expect(eventsOf(drawing.events, 'unit-restarted').map(({ variant }) => variant)).toEqual(['v1'])
    expect(eventsOf(drawing.events, 'warning').map(({ code }) => code)).toEqual(['W_WORKER_DIED'])
  })

  it('gives up a unit that kills its process twice, and no other', async () => {
    const drawing = await createDrawing({
      units: Array.from({ length: 4 }, () => ({})),
      async generate(jobs, { kill }, notify) {
        begin(jobs, notify)
        if (jobs[0]?.unit === 1) kill()
        return jobs.map(pictureOf)
      },
    })
    await drawing.draw()
    expect(failures(drawing)).toEqual(['v1 E_WORKER_DIED'])
    expect(drawing.counts()).toEqual({ done: 3, failed: 1 })
  })

  it('shares units out over devices, and one draws what the other leaves when it dies for good', async () => {
    const drawing = await createDrawing({
      units: Array.from({ length: 9 }, () => ({})),
      devices: 2,
      async generate(jobs, _, notify, device) {
        begin(jobs, notify)
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (device === 1) throw new PregenError('E_WORKER_DIED', 'The inference process ended.')
        return jobs.map(pictureOf)
      },
    })
    await drawing.draw()
    expect(drawing.counts().done + drawing.counts().failed).toBe(9)
    const devices = new Set(eventsOf(drawing.events, 'unit-started').map(({ device }) => device))
    expect([...devices].sort()).toEqual(['cpu:0', 'cpu:1'])
    expect(new Set(eventsOf(drawing.events, 'model-loaded').map(({ device }) => device)).size).toBe(2)
  })

  it('times a unit from when the worker takes it up, not from when it was queued', async () => {
    // One request at a time, as the worker answers them; long enough to outweigh the writing of files.
    let queue: Promise<unknown> = Promise.resolve()
    const drawing = await createDrawing({
      units: [{}, {}, {}, {}],
      generate(jobs, _, notify) {
        const drawn = queue.then(async () => {
          begin(jobs, notify)
          await new Promise((resolve) => setTimeout(resolve, 300))
          return jobs.map(pictureOf)
        })
        queue = drawn
        return drawn
      },
    })
    const startedAt = performance.now()
    await drawing.draw()
    const wholeMs = performance.now() - startedAt
    const durations = eventsOf(drawing.events, 'unit-finished').map(({ durationMs }) => durationMs)
    expect(durations).toHaveLength(4)
    expect(durations.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(1.75 * wholeMs)
  })

  it('finishes the picture in hand when it is drained, and begins no other, not on another model either', async () => {
    const drawing = await createDrawing({
      units: [{}, {}, {}, {}],
      async generate(jobs, { drain }, notify) {
        begin(jobs, notify)
        if (jobs.some(({ unit }) => unit === 1)) drain()
        return jobs.map(pictureOf)
      },
    })
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 2, failed: 0 })
    expect(eventsOf(drawing.events, 'unit-started').map(({ variant }) => variant)).toEqual(['v0', 'v1'])
    expect(drawing.ledger.units.size).toBe(2)
    await drawModels(drawing.context, { models: new Map([['backdrop', drawing.model]]) }, drawing.units)
    expect(drawing.calls.filter((name) => name === 'open')).toHaveLength(1)
  })

  it('fails no unit and starts no process again when one dies while the run is drained', async () => {
    const drawing = await createDrawing({
      units: [{}, {}],
      async generate(jobs, { drain, kill }, notify) {
        begin(jobs, notify)
        drain()
        kill()
        return []
      },
    })
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 0, failed: 0 })
    expect(drawing.calls.filter((name) => name === 'open')).toHaveLength(1)
  })

  it('stops at the first failure under --fail-fast; what was not tried is neither done nor failed', async () => {
    const drawing = await createDrawing({
      units: Array.from({ length: 20 }, () => ({})),
      options: { failFast: true },
      async generate() {
        throw new PregenError('E_NUMERIC_FAULT', 'NaN')
      },
    })
    await drawing.draw()
    expect(drawing.counts().done).toBe(0)
    expect(drawing.counts().failed).toBeGreaterThan(0)
    expect(drawing.counts().failed).toBeLessThan(4)
  })

  it('fails a unit whose init image was replaced since the plan was made', async () => {
    const drawing = await createDrawing({ units: [{}] })
    const source = join(drawing.layout.out, 'stage.png')
    await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).toFile(source)
    const [entry] = drawing.units
    if (!entry) throw new Error('there is one unit')
    const unit = { ...entry.unit, image: { source, fit: undefined }, denoiseStrength: 0.5 }
    const planned = { ...entry, unit, parts: { imageSha256: '0'.repeat(64) } }
    await drawing.draw([planned])
    expect(failures(drawing)).toEqual(['v0 E_IMAGE_CHANGED'])
  })
})

describe('the live file', () => {
  it('costs a warning when it cannot be written, and neither preview nor picture', async () => {
    const previews = { method: 'full', every: 1, source: 'denoised', size: 'image' } as const
    const drawing = await createDrawing({
      units: [{ previews }],
      options: { liveFile: true },
      async generate(jobs, _, notify) {
        begin(jobs, notify)
        const pictures = jobs.map(pictureOf)
        for (const { unit, image } of pictures) {
          for (const step of [1, 2]) await notify({ type: 'preview', unit, step, image })
        }
        return pictures
      },
    })
    await writeFile(drawing.layout.state.liveFolder, 'a file where the folder should be')
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 1, failed: 0 })
    expect(eventsOf(drawing.events, 'preview-failed')).toEqual([])
    expect(eventsOf(drawing.events, 'warning').map(({ code }) => code)).toContain('W_LIVE_FILE')
  })
})

describe('several devices', () => {
  const units = new Array(6).fill({})

  it('are asked for what auto found on the first', async () => {
    const asked: string[] = []
    const drawing = await createDrawing({
      ...{ units, devices: 3 },
      open(device, requested) {
        asked[device] = requested
        return 'cuda'
      },
    })
    await drawing.draw()
    expect(asked).toEqual(['auto', 'cuda', 'cuda'])
    expect(drawing.counts()).toEqual({ done: 6, failed: 0 })
  })

  const withoutSecond = (code: ErrorCode) => (device: number) => {
    if (device === 1) throw new PregenError(code, 'the card is full')
    return 'cuda' as const
  }

  it('of all that there are, go on without one that the model cannot run on', async () => {
    const open = withoutSecond('E_PROVIDER_UNAVAILABLE')
    const drawing = await createDrawing({ ...{ units, devices: 2, open }, options: { devices: 'all' } })
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 6, failed: 0 })
    expect(eventsOf(drawing.events, 'warning')).toEqual([
      { type: 'warning', code: 'W_DEVICE_LEFT_OUT', message: 'Device 1 draws no more: the card is full' },
    ])
    const named = await createDrawing({ units, devices: 2, open })
    await expect(named.draw()).rejects.toMatchObject({ code: 'E_PROVIDER_UNAVAILABLE' })
  })

  it('go on without one that has no room for the model, and say so', async () => {
    const open = withoutSecond('E_MODEL_LOAD_FAILED')
    const drawing = await createDrawing({ units, devices: 2, open })
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 6, failed: 0 })
    expect(eventsOf(drawing.events, 'warning').map(({ code }) => code)).toEqual(['W_DEVICE_LEFT_OUT'])
  })

  const prompts = ['a hill', 'a sea', 'a wood', 'a hill', 'a sea', 'a wood']
  const spoken = prompts.map((prompt) => ({ prompt }))
  const encodedBy = ({ events }: Drawing) =>
    eventsOf(events, 'model-loaded').map(({ device, prompts }) => `${device} ${prompts}`)

  it('encode each prompt once: one encodes for all, and its file is gone afterwards', async () => {
    const drawing = await createDrawing({ units: spoken, devices: 3 })
    await drawing.draw()
    expect(drawing.prompts).toEqual(['a hill', 'a sea', 'a wood'])
    expect(encodedBy(drawing).sort()).toEqual(['cpu:0 3', 'cpu:1 0', 'cpu:2 0'])
    expect(drawing.adopted.map(({ device, keys }) => [device, keys.length])).toEqual([
      [1, 3],
      [2, 3],
    ])
    expect(drawing.counts()).toEqual({ done: 6, failed: 0 })
    // 5 ms each, of the first unit that needs it on whichever device.
    const recorded = [...drawing.ledger.units.values()].map(({ durationMs }) => durationMs)
    expect(recorded.filter((durationMs) => durationMs === 8)).toHaveLength(3)
    expect(await readdir(drawing.layout.state.folder)).not.toContainEqual(expect.stringMatching(/\.tmp$/))
  })

  it('have another encode where the process that did it dies, and none when it dies later', async () => {
    let isFirst = true
    const early = await createDrawing({
      ...{ units: spoken, devices: 2 },
      encode(_, { kill }) {
        if (isFirst) kill()
        isFirst = false
      },
    })
    await early.draw()
    expect(early.prompts).toHaveLength(6)
    expect(early.counts()).toEqual({ done: 6, failed: 0 })

    let drawn = 0
    const late = await createDrawing({
      ...{ units: spoken, devices: 2 },
      async generate(jobs, { kill }, notify) {
        begin(jobs, notify)
        if (++drawn === 2) kill()
        return jobs.map(pictureOf)
      },
    })
    await late.draw()
    expect(late.prompts).toHaveLength(3)
    expect(late.counts()).toEqual({ done: 6, failed: 0 })
  })

  it('have another encode where the first has no room for the encoders, opened anew with none of the rest', async () => {
    const drawing = await createDrawing({
      ...{ units: spoken, devices: 2 },
      async encode(device, { calls }) {
        if (device !== 0) return
        // By then the other holds its denoiser, and waits.
        await vi.waitFor(() => expect(calls).toContain('load-denoiser'))
        throw new PregenError('E_MODEL_LOAD_FAILED', 'text_encoder_3: no memory')
      },
    })
    await drawing.draw()
    expect(drawing.counts()).toEqual({ done: 6, failed: 0 })
    expect(eventsOf(drawing.events, 'warning').map(({ code }) => code)).toEqual(['W_DEVICE_LEFT_OUT'])
    expect(encodedBy(drawing)).toEqual(['cpu:1 3'])
    expect(drawing.calls.filter((call) => call === 'open')).toHaveLength(3)
  })

  it('that all are cards leave a model of the CPU to one', async () => {
    const drawing = await createDrawing({
      ...{ units, devices: 3 },
      options: { devices: 'all', provider: 'cpu' },
    })
    await drawing.draw()
    expect(drawing.calls.filter((call) => call === 'open')).toHaveLength(1)
    expect(drawing.counts()).toEqual({ done: 6, failed: 0 })
  })
})
