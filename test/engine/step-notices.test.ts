import { describe, expect, it } from 'vitest'
import type { JobPreviews, PictureNotice } from '../../src/engine/inference-calls.ts'
import { createInjection } from '../../src/engine/injection.ts'
import { createStepNotices } from '../../src/engine/step-notices.ts'
import type { StepInfo } from '../../src/pipelines/pipeline.ts'

const HANDED = { every: 2, source: 'latents', method: 'handed' } as const
const PICTURE = { rgb: new Uint8Array(3), width: 1, height: 1 }

/** Notices of a batch, a list a message, on a clock that the test moves. */
function batchOf(previews: readonly (JobPreviews | null)[], decodeMs = 0) {
  const messages: (readonly PictureNotice[])[] = []
  let time = 1000
  const notices = createStepNotices({
    jobs: previews.map((each, unit) => ({ unit, previews: each })),
    inlineDecoder: {
      async decode() {
        time += decodeMs
        return [PICTURE]
      },
    },
    injection: createInjection({}),
    context: { handOut: async (...told) => void messages.push(told) },
    now: () => time,
  })
  const latents = new Float32Array(previews.length * 4)
  const take = (step: number, afterMs: number, steps = 20) => {
    time += afterMs
    latents.fill(step)
    const info: StepInfo = {
      ...{ step, steps, callIndex: step - 1, durationMs: afterMs, latents },
      ...{ denoised: new Float32Array(latents.length), dims: [previews.length, 1, 2, 2] },
    }
    return notices.take(info)
  }
  const steps = () =>
    messages.map((told) =>
      told.map((notice) => ('step' in notice ? `${notice.type} ${notice.step}` : notice.type)),
    )
  return { messages, notices, take, steps }
}

describe('steps that are told', () => {
  it('each at once, where they take 50 ms and more', async () => {
    const { take, steps } = batchOf([null])
    for (let step = 1; step <= 3; step++) await take(step, 50)
    expect(steps()).toEqual([['step 1'], ['step 2'], ['step 3']])
  })

  it('together where they are quicker, the first and the last at once', async () => {
    const { take, steps } = batchOf([null])
    for (let step = 1; step <= 8; step++) await take(step, 24, 8)
    expect(steps()).toEqual([
      ['step 1'],
      ['step 2', 'step 3', 'step 4'],
      ['step 5', 'step 6', 'step 7'],
      ['step 8'],
    ])
  })

  it('when drawing is given up, too, and once', async () => {
    const { take, notices, steps } = batchOf([null])
    await take(1, 5)
    await take(2, 5)
    await notices.flush()
    await notices.flush()
    expect(steps()).toEqual([['step 1'], ['step 2']])
  })

  it('of all pictures of a batch, each with its own state as it was', async () => {
    const { take, messages } = batchOf([HANDED, null])
    for (let step = 1; step <= 4; step++) await take(step, 20)
    const told = messages.flat().map((notice) => {
      if (notice.type !== 'step') throw new Error(`${notice.type} was told`)
      return [notice.unit, notice.step, notice.shown && [...notice.shown.data]]
    })
    expect(told).toEqual([
      [0, 1, undefined],
      [1, 1, undefined],
      // Held while the batch wrote the next steps into the same memory.
      [0, 2, [2, 2, 2, 2]],
      [1, 2, undefined],
      [0, 3, undefined],
      [1, 3, undefined],
      [0, 4, [4, 4, 4, 4]],
      [1, 4, undefined],
    ])
    expect(messages).toHaveLength(2)
  })

  it('before the preview that takes the device long to decode', async () => {
    const { take, steps } = batchOf([{ every: 2, source: 'latents', method: 'taesd' }], 60)
    for (let step = 1; step <= 3; step++) await take(step, 5, 3)
    expect(steps()).toEqual([['step 1'], ['step 2'], ['preview 2'], ['step 3'], ['preview 3']])
  })

  it('with the preview that is decoded quickly, from the second on', async () => {
    const { take, steps } = batchOf([{ every: 2, source: 'latents', method: 'full' }], 10)
    for (let step = 1; step <= 7; step++) await take(step, 20, 7)
    expect(steps()).toEqual([
      ['step 1'],
      ['step 2'],
      ['preview 2', 'step 3', 'step 4', 'preview 4'],
      ['step 5', 'step 6', 'preview 6'],
      ['step 7', 'preview 7'],
    ])
  })

  it('with the time at which they ended', async () => {
    const { take, messages } = batchOf([null])
    const before = Date.now()
    await take(1, 5)
    await take(2, 5, 2)
    const ends = messages.flat().map((notice) => (notice.type === 'step' ? notice.endedAt : Number.NaN))
    expect(ends.every((at) => at >= before && at <= Date.now())).toBe(true)
  })
})
