import { describe, expect, it } from 'vitest'
import { type QueueFailure, type QueueSheet, readQueue } from '../../src/watch/page/data/queue-list.ts'
import { enqueueLine, retryLine } from '../../src/watch/page/model/command.ts'
import { formatAge } from '../../src/watch/page/model/format.ts'
import {
  describeQueue,
  groupFailures,
  nameSome,
  progressOf,
  sortSheets,
  sortUnits,
  standingOf,
} from '../../src/watch/page/model/queue.ts'

const unit = { machine: 'gpu-1', device: 'cuda:0', cue: 'sea', variant: 'a', step: 3, steps: 20 }

function sheet(changes: Partial<Record<keyof QueueSheet, unknown>> = {}): QueueSheet {
  const [read] = readQueue([
    {
      ...{ id: 'a'.repeat(32), name: 'evening.yaml', version: 'v1', state: 'queued', units: 10 },
      ...{ submitted: '2026-11-29T10:00:00.000Z', ended: null, waiting: 0, done: 0, failed: 0 },
      ...{ active: [], failures: [], whole: null, missing: null, ...changes },
    },
  ])
  if (read === undefined) throw new Error('it was not read')
  return read
}

describe('an answer of the queue', () => {
  it('is read as far as it can be', () => {
    expect(readQueue(null)).toEqual([])
    expect(readQueue([null, 5, { name: 'x' }])).toEqual([])
    const [read] = readQueue([
      { id: 'x', active: [unit, null], failures: [{ units: [0, 'y'] }], ended: 'never' },
    ])
    expect(read).toMatchObject({ id: 'x', version: 'x', state: 'unknown', ended: null, waiting: 0 })
    expect(read?.active).toMatchObject([{ machine: 'gpu-1', step: 3, since: null }])
    expect(read?.failures).toMatchObject([{ units: [0], cue: null, error: '' }])
  })
})

describe('where a sheet stands', () => {
  it.each([
    ['working', { active: [unit], waiting: 3 }],
    ['waiting', { waiting: 3 }],
    ['ending', { done: 3 }],
    ['done', { state: 'done', whole: 3 }],
    ['partial', { state: 'partial', whole: 2, missing: 1, failed: 1 }],
    ['cancelled', { state: 'cancelled' }],
    // What is in work when it is cancelled is finished.
    ['working', { state: 'cancelled', active: [unit] }],
  ])('is %s with %j', (standing, changes) => {
    expect(standingOf(sheet(changes))).toBe(standing)
  })

  it('is told in jobs while it goes on, in units afterwards', () => {
    const going = sheet({ done: 5, waiting: 3, active: [unit], failed: 1, whole: 7, missing: 3 })
    expect(progressOf(going)).toEqual({ share: 0.5, text: '5 of 10', noun: 'jobs' })
    const ended = sheet({ state: 'partial', whole: 1200, missing: 300 })
    expect(progressOf(ended)).toEqual({ share: 0.8, text: '1,200 of 1,500', noun: 'units' })
    expect(progressOf(sheet())).toMatchObject({ share: 0, text: '0 of 0' })
  })

  it('decides the order: at work, waiting in turn, then what ended last', () => {
    const at = (minute: number) => `2026-11-29T10:0${minute}:00.000Z`
    const all = [
      sheet({ id: '1', state: 'done', whole: 1, ended: at(1) }),
      sheet({ id: '2', waiting: 1, submitted: at(3) }),
      sheet({ id: '3', waiting: 1, submitted: at(2) }),
      sheet({ id: '4', waiting: 1, submitted: at(4), active: [unit] }),
      sheet({ id: '5', state: 'partial', whole: 1, ended: at(5) }),
    ]
    const { open, over } = sortSheets(all)
    expect([open.map(({ id }) => id), over.map(({ id }) => id)]).toEqual([
      ['4', '3', '2'],
      ['5', '1'],
    ])
    expect(describeQueue(all)).toBe('1 sheet at work · 1 machine · 3 jobs waiting')
    expect(describeQueue([])).toBe('nothing is at work')
  })
})

describe('what failed', () => {
  const failure = (place: number, error: string, changes: Partial<QueueFailure> = {}): QueueFailure => ({
    ...{ units: [place], cue: 'sea', variant: `seed-${place}`, machine: 'gpu-2', tries: 3, error },
    ...changes,
  })

  it('is told once for each reason, without the name of the unit', () => {
    const reason = (place: number) => `E_NOT_FINITE: sea/seed-${place}: vae decode: NaN values.`
    const groups = groupFailures([
      failure(1, reason(1)),
      failure(2, reason(2), { machine: 'gpu-10', tries: 1 }),
      failure(7, 'E_BAD_ROOT: root leads out.', { cue: null, variant: null, machine: null }),
      failure(8, ''),
    ])
    expect(groups).toEqual([
      {
        ...{ code: 'E_NOT_FINITE', message: 'vae decode: NaN values.', tries: 3 },
        ...{ units: ['sea / seed-1', 'sea / seed-2'], machines: ['gpu-2', 'gpu-10'] },
      },
      {
        code: 'E_BAD_ROOT',
        message: 'root leads out.',
        units: ['unit 8 of the sheet'],
        machines: [],
        tries: 3,
      },
      { code: null, message: 'no reason is told', units: ['sea / seed-8'], machines: ['gpu-2'], tries: 3 },
    ])
  })

  it('of a batch is told by places: which of its units it was is not known', () => {
    const [group] = groupFailures([failure(0, 'E_X: x', { units: [4, 5] })])
    expect(group?.units).toEqual(['unit 5 of the sheet', 'unit 6 of the sheet'])
  })

  it('names some, and says how many more', () => {
    expect(nameSome(['a', 'b', 'c', 'd'])).toBe('a, b, c, d')
    expect(nameSome(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more')
  })
})

it('machines stand in the order of their numbers, with their devices', () => {
  const units = ['gpu-10 cuda:0', 'gpu-2 cuda:1', 'gpu-2 cuda:0'].map((name) => {
    const [machine, device] = name.split(' ')
    return { ...unit, machine: machine ?? '', device: device ?? null, since: null }
  })
  expect(sortUnits(units).map(({ machine, device }) => `${machine} ${device}`)).toEqual([
    ...['gpu-2 cuda:0', 'gpu-2 cuda:1', 'gpu-10 cuda:0'],
  ])
})

it('commands hold for a shell, and name no address', () => {
  expect(retryLine('0123456789abcdef')).toBe('pregen retry 01234567')
  expect(enqueueLine("it's.yaml", 'v 1')).toBe("pregen enqueue 'it'\\''s.yaml' --version-id 'v 1'")
})

it.each([
  [-5000, 'just now'],
  [4900, 'just now'],
  [59_900, '59 s ago'],
  [61_000, '1 min ago'],
  [47.5 * 3600_000, '47 h ago'],
  [49 * 3600_000, '2 days ago'],
])('%d ms are %s', (milliseconds, text) => {
  expect(formatAge(milliseconds)).toBe(text)
})
