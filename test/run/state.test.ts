import { describe, expect, it } from 'vitest'
import type { RunEvent, RunEventBody } from '../../src/run/events.ts'
import { reduce } from '../../src/run/reduce.ts'
import {
  expectedLeftMs,
  INITIAL_STATE,
  outcomeOf,
  type RunState,
  unitOf,
  unitsOf,
} from '../../src/run/state.ts'

const stamp = { run: '20261126-231502-4f7a', time: '2026-11-26T23:15:02.500Z' }
const device = 'cpu:0'
const named = (variant: string) => ({ cue: 'dawn', variant })

function planOf(run: readonly string[], skip: readonly string[] = []): RunEventBody {
  const unit = (variant: string, action: 'run' | 'skip') => ({
    ...{ ...named(variant), program: 'P1', steps: 2, action },
  })
  return {
    ...{ type: 'run-planned', units: run.length + skip.length, skipped: skip.length, shard: null },
    ...{ steps: 2 * run.length, version: 'v1', out: '/out' },
    prefix: 'foigoi/v',
    plan: [...run.map((id) => unit(id, 'run')), ...skip.map((id) => unit(id, 'skip'))],
  }
}

const started = (variant: string): RunEventBody => ({
  ...{ type: 'unit-started', ...named(variant), program: 'P1', seed: '1', steps: 2, device },
})
const step = (variant: string, number: number): RunEventBody => ({
  ...{ type: 'step', ...named(variant), step: number, steps: 2, durationMs: 5, device },
})

const stampAll = (bodies: readonly RunEventBody[]): RunEvent[] =>
  bodies.map((body, index) => ({ ...body, ...stamp, seq: index + 1 }))
const stateAfter = (...bodies: RunEventBody[]): RunState => stampAll(bodies).reduce(reduce, INITIAL_STATE)

describe('the state of a run', () => {
  it('knows every unit as soon as the run is planned', () => {
    const state = stateAfter(planOf(['a', 'b'], ['c']))
    expect(unitsOf(state).map(({ variant, status }) => `${variant} ${status}`)).toEqual([
      'a queued',
      'b queued',
      'c skipped',
    ])
    expect(state).toMatchObject({ run: stamp.run, version: 'v1', counts: { planned: 3, skipped: 1 } })
  })

  it('follows a unit from its start to its files', () => {
    const path = '/out/dawn/a/1.png'
    const before = [planOf(['a', 'b']), started('a'), step('a', 1)]
    const preview: RunEventBody = { type: 'preview', ...named('a'), step: 1, path, animation: null }
    const during = stateAfter(...before, preview)
    expect(unitOf(during, 'dawn/a')).toMatchObject({
      status: 'drawing',
      step: 1,
      device,
      previews: [{ step: 1, path, animation: null }],
    })
    expect(during.drawing).toEqual(['dawn/a'])
    const finished: RunEventBody = { type: 'unit-finished', ...named('a'), files: [path], durationMs: 9 }
    const after = stateAfter(...before, preview, step('a', 2), finished)
    expect(unitOf(after, 'dawn/a')).toMatchObject({ status: 'done', step: 2, files: [path] })
    expect(after).toMatchObject({
      counts: { done: 1, failed: 0 },
      steps: { planned: 4, done: 2 },
      drawing: [],
    })
  })

  it('takes back the steps of a unit that begins again, and counts its failure once', () => {
    const again: RunEventBody = { type: 'unit-restarted', ...named('a'), reason: 'its batch failed', device }
    const failed: RunEventBody = {
      ...{ type: 'unit-failed', ...named('a'), stage: 'vae decode', code: 'E_X', message: 'NaN' },
      help: 'Use an fp32 VAE.',
    }
    const course = [planOf(['a']), started('a'), step('a', 1), again]
    expect(stateAfter(...course).steps.done).toBe(0)
    const state = stateAfter(...course, step('a', 1), failed)
    expect(state).toMatchObject({ steps: { done: 1 }, counts: { failed: 1, done: 0 } })
    expect(unitOf(state, 'dawn/a')?.error).toEqual({
      ...{ stage: 'vae decode', code: 'E_X', message: 'NaN', help: 'Use an fp32 VAE.' },
    })
  })

  it('measures each device by its last steps, and units by what they take beside them', () => {
    const slow: RunEventBody = { ...step('b', 1), durationMs: 25, device: 'cpu:1' } as RunEventBody
    const course = [planOf(['a', 'b', 'c']), started('a'), step('a', 1), slow]
    const during = stateAfter(...course)
    expect(during.devices).toEqual([
      { name: 'cpu:0', stepMs: 5, unit: 'dawn/a' },
      { name: 'cpu:1', stepMs: 25, unit: 'dawn/b' },
    ])
    expect([during.moving, unitOf(during, 'dawn/a')?.stepMs]).toEqual(['dawn/b', [5]])
    // Four steps are left; the two devices make 1/5 + 1/25 of one a millisecond.
    expect(expectedLeftMs(during)).toBeCloseTo(4 / (1 / 5 + 1 / 25))
    const finished: RunEventBody = { type: 'unit-finished', ...named('a'), files: [], durationMs: 16 }
    const after = stateAfter(...course, step('a', 2), finished)
    expect(after).toMatchObject({ restMs: 6, finished: ['dawn/a'] })
    expect(after.devices.map(({ unit }) => unit)).toEqual([null, 'dawn/b'])
    expect(expectedLeftMs(after)).toBeCloseTo(3 / (1 / 5 + 1 / 25) + (6 * 2) / 2)
    expect(expectedLeftMs(INITIAL_STATE)).toBeNull()
  })

  it('takes a unit from the device that lost it', () => {
    const again: RunEventBody = {
      ...{ type: 'unit-restarted', ...named('a'), reason: 'cpu:0 died', device: 'cpu:1' },
    }
    expect(stateAfter(planOf(['a']), started('a'), step('a', 1), again).devices).toEqual([
      { name: 'cpu:0', stepMs: 5, unit: null },
      { name: 'cpu:1', stepMs: null, unit: 'dawn/a' },
    ])
  })

  const end = {
    ...{ type: 'run-finished', done: 0, skipped: 0, failed: 0, left: 0, cancelled: false, drained: false },
    ...{ uploaded: 0, uploadsFailed: 0, filmsFailed: 0, wallMs: 1, sessionRunMs: 1, modelLoadMs: 1 },
    ...{ peakRssBytes: 1, provider: 'cpu', version: 'v1', folder: '/out/foigoi/v1' },
  } as const

  it.each([
    ['done', [], {}],
    ['done', ['c'], {}],
    ['failed', [], { failed: 1 }],
    ['partial', ['c'], { failed: 1 }],
    ['partial', ['c'], { uploadsFailed: 1 }],
    ['partial', ['c'], { filmsFailed: 1 }],
    ['drained', ['c'], { drained: true, left: 1 }],
    ['cancelled', [], { cancelled: true, failed: 1 }],
  ] as const)('ends as %s, with %j whole already and %j', (outcome, skip, more) => {
    const state = stateAfter(planOf(['a'], skip), started('a'), step('a', 1))
    expect(outcomeOf(state)).toBeNull()
    const ended = stateAfter(planOf(['a'], skip), started('a'), step('a', 1), {
      ...end,
      ...more,
    } as RunEventBody)
    expect(outcomeOf(ended)).toBe(outcome)
    // What was in hand waits again.
    expect(unitOf(ended, 'dawn/a')?.status).toBe('queued')
    expect(ended).toMatchObject({ drawing: [], devices: [{ unit: null }] })
  })

  it('counts uploads, and what turned out to be there already', () => {
    const sent: RunEventBody = { type: 'object-uploaded', key: 'k', sizeBytes: 1, attempts: 1 }
    const lost: RunEventBody = { type: 'upload-failed', key: 'k', attempts: 3, message: 'no' }
    const expected = (objects: number): RunEventBody => ({ type: 'uploads-expected', objects })
    const state = stateAfter(expected(5), sent, expected(-2), lost)
    expect(state.uploads).toEqual({ expected: 3, sent: 1, failed: 1 })
    expect(state.uploadFaults).toEqual([{ key: 'k', message: 'no' }])
  })

  it('is not changed by an event that it has seen, and changes no state that it was given', () => {
    const events = stampAll([planOf(['a']), started('a'), step('a', 1)])
    const states = [INITIAL_STATE]
    for (const event of events) states.push(reduce(states.at(-1)!, event))
    const kept = structuredClone(states)
    for (const event of events) expect(reduce(states.at(-1)!, event)).toBe(states.at(-1))
    reduce(states.at(-1)!, { ...events[2]!, seq: 4 })
    expect(states).toEqual(kept)
  })

  it('keeps pace with ten thousand units', () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `v${index}`)
    let state = stateAfter(planOf(ids))
    const before = state.pages
    let seq = 1
    for (const id of ids.slice(0, 2000)) state = reduce(state, { ...step(id, 1), ...stamp, seq: ++seq })
    expect(state.steps.done).toBe(2000)
    // Pages of units that nothing happened to are the same objects.
    expect(state.pages.filter((page, index) => page === before[index]).length).toBeGreaterThan(120)
  })
})
