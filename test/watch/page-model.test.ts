import { describe, expect, it } from 'vitest'
import type { RunEvent, RunEventBody } from '../../src/run/events.ts'
import { reduce } from '../../src/run/reduce.ts'
import { INITIAL_STATE, unitOf } from '../../src/run/state.ts'
import { leftOfUnit } from '../../src/watch/page/data/estimate.ts'
import { mergeRun } from '../../src/watch/page/data/merge.ts'
import { readProgress } from '../../src/watch/page/data/progress.ts'
import { pickRun, readRuns } from '../../src/watch/page/data/run-list.ts'
import { readShow, type Variant } from '../../src/watch/page/data/show.ts'
import { defaultPlacement, findAxes, layOut } from '../../src/watch/page/model/axes.ts'
import { redoCommand } from '../../src/watch/page/model/command.ts'
import { type Filter, filterVariants, groupByCue } from '../../src/watch/page/model/filter.ts'
import { formatLeft, formatSeconds } from '../../src/watch/page/model/format.ts'
import { galleryRows } from '../../src/watch/page/model/gallery-rows.ts'
import { offsetsOf, rowsBetween } from '../../src/watch/page/model/rows.ts'
import { formatRoute, parseRoute } from '../../src/watch/page/route.ts'
import { assetOf, type TestVariant } from '../browser/support/show-tree.ts'

const showOf = (variants: readonly TestVariant[]) =>
  readShow({ manifest_version: 1, version: 'demo', assets: variants.map(assetOf) })

const NO_FILTER: Filter = { text: '', program: null, state: null, sort: 'sheet' }

const forest: readonly TestVariant[] = ['sunlit', 'moonlit'].flatMap((light) =>
  ['1', '2', '10'].map((seed) => ({
    ...{ cue: 'forest', variant: `${light}-${seed}`, seed, stepsMs: [10], axes: { light, seed } },
  })),
)

describe('a manifest', () => {
  it('is read as far as it can be', () => {
    const show = readShow({ version: 'v', assets: [assetOf(forest[0]!, 0), null, { cue: 'x' }, 5] })
    expect([show.variants.length, show.unreadable]).toEqual([1, 3])
    expect(show.variants[0]).toMatchObject({ cue: 'forest', variant: 'sunlit-1', hasTiming: true })
  })

  it.each([null, [], {}, { assets: 'x' }])('is none: %j', (value) => {
    expect(() => readShow(value)).toThrow(TypeError)
  })
})

describe('what a run tells', () => {
  const plan = [
    { cue: 'dawn', variant: 'a', program: 'P1', steps: 4, action: 'skip' },
    { cue: 'dawn', variant: 'b', program: 'P1', steps: 4, action: 'run', axes: { light: 'low' } },
    { cue: 'dawn', variant: 'c', program: 'P1', steps: 4, action: 'run' },
  ] as const
  const unit = { cue: 'dawn', variant: 'b', device: 'cpu:0' }
  const step = { ...unit, type: 'step', steps: 4 } as const
  const begin: readonly RunEventBody[] = [
    {
      ...{ type: 'run-planned', units: 3, skipped: 1, steps: 8, shard: null, version: 'demo' },
      ...{ out: '/out', prefix: 'foigoi/demo', plan },
    },
    { type: 'unit-started', ...unit, program: 'P1', seed: '7', steps: 4 },
    { ...step, step: 1, durationMs: 100 },
    { ...step, step: 2, durationMs: 300 },
  ]
  const stateAfter = (...bodies: readonly RunEventBody[]) =>
    bodies
      .map(
        (body, place): RunEvent => ({
          ...{ ...body, run: 'r', seq: place + 1, time: new Date(place).toISOString() },
        }),
      )
      .reduce(reduce, INITIAL_STATE)
  const show = showOf([
    { cue: 'dawn', variant: 'a', stepsMs: [1] },
    { cue: 'old', variant: 'z', stepsMs: null },
  ])

  it('stands beside the manifest', () => {
    const state = stateAfter(...begin)
    const merged = mergeRun(show, state)
    expect(merged.map(({ cue, variant, state }) => [cue, variant, state])).toEqual([
      ['dawn', 'a', 'done'],
      ['dawn', 'b', 'running'],
      ['dawn', 'c', 'waiting'],
      ['old', 'z', 'done'],
    ])
    expect(merged[1]).toMatchObject({ axes: { light: 'low' }, facts: { seed: '7' } })
    // Another version's run says nothing about this one.
    expect(mergeRun({ ...show, version: 'other' }, state)).toHaveLength(2)
  })

  it('tells how long the picture in the making will take', () => {
    const unitB = unitOf(stateAfter(...begin), 'dawn/b')!
    expect(leftOfUnit(unitB)).toBe(400)
    expect(leftOfUnit({ ...unitB, stepMs: [] })).toBeNull()
  })

  it.each(['/', '\\'])('knows by the files of a unit what there is of it, with %s in their paths', (sign) => {
    const files = ['x-timing.json', '1.png', 'final.png'].map((name) => ['C:', 'out', name].join(sign))
    const ended = (more: readonly string[]) =>
      mergeRun(
        show,
        stateAfter(...begin, { type: 'unit-finished', ...unit, files: [...files, ...more], durationMs: 9 }),
      )[1]
    expect(ended([])).toMatchObject({ state: 'done', hasTiming: false, mark: '4' })
    expect(ended([`C:${sign}out${sign}timing.json`])).toMatchObject({ state: 'done', hasTiming: true })
  })
})

describe('the runs of a folder', () => {
  it('are listed with the newest first, and the one at work is looked at', () => {
    const runs = readRuns({
      runs: [{ id: 'a', state: 'running' }, { id: 'c', state: 'done' }, { state: 'x' }, 3],
    })
    expect(runs.map(({ id }) => id)).toEqual(['c', 'a'])
    expect(pickRun(runs)?.id).toBe('a')
    expect(pickRun([])).toBeNull()
    expect(readRuns('nonsense')).toEqual([])
  })
})

it('a message of the socket is read, and anything else is none', () => {
  expect(readProgress({ type: 'progress', active: true, step: 5, image_id: 9 })).toMatchObject({
    step: 5,
    imageId: 9,
  })
  expect(readProgress({ type: 'hello' })).toBeNull()
})

describe('axes', () => {
  const axesOf = (variants: readonly Variant[]) =>
    findAxes(variants).map(({ name, values }) => [name, values])

  it('are the keys of the matrix, numbers by size', () => {
    const { variants } = showOf(forest)
    expect(axesOf(variants).slice(0, 2)).toEqual([
      ['light', ['sunlit', 'moonlit']],
      ['seed', ['1', '2', '10']],
    ])
    expect(defaultPlacement(findAxes(variants))).toEqual({
      cols: 'seed',
      rows: 'light',
      sec: null,
      sec2: null,
    })
  })

  it('are the parts of ids where no matrix is told', () => {
    const untold = forest.map(({ axes: _axes, ...rest }) => rest)
    expect(axesOf(showOf(untold).variants).slice(0, 2)).toEqual([
      ['part 1', ['sunlit', 'moonlit']],
      ['seed', ['1', '2', '10']],
    ])
  })

  it('lay variants out in four of them, without what is hidden', () => {
    const variants = ['a', 'b'].flatMap((w) =>
      ['1', '2'].flatMap((x) =>
        ['p', 'q'].flatMap((y) =>
          ['s', 't'].map((z) => ({
            ...{ cue: 'c', variant: [w, x, y, z].join('-'), stepsMs: null, axes: { w, x, y, z } },
          })),
        ),
      ),
    )
    const { variants: read } = showOf(variants)
    const placement = { cols: 'w', rows: 'x', sec: 'y', sec2: 'z' }
    const layout = layOut(read, findAxes(read), placement, new Set(['x:2', 'z:t']))
    expect(layout.columns).toEqual(['a', 'b'])
    expect(layout.sections.map(({ title }) => title.map(({ value }) => value).join(''))).toEqual(['ps', 'qs'])
    const cells = layout.sections.flatMap(({ rows }) => rows.flatMap((row) => row.cells))
    expect(cells.map((cell) => cell.variants.map(({ variant }) => variant).join())).toEqual([
      'a-1-p-s',
      'b-1-p-s',
      'a-1-q-s',
      'b-1-q-s',
    ])
  })
})

describe('the gallery', () => {
  const { variants } = showOf([
    { cue: 'dawn', variant: 'seed-10', seed: '10', prompt: 'Misty mountains', stepsMs: null },
    { cue: 'dawn', variant: 'seed-2', seed: '2', program: 'P0', stepsMs: null },
    { cue: 'storm', variant: 'seed-1', seed: '1', stepsMs: null },
  ])

  it('finds all words, in ids, prompts and seeds', () => {
    const found = (text: string) =>
      filterVariants(variants, { ...NO_FILTER, text }).map(({ variant }) => variant)
    expect(found('MISTY dawn')).toEqual(['seed-10'])
    expect(found('dawn')).toEqual(['seed-10', 'seed-2'])
    expect(found('nothing')).toEqual([])
    expect(filterVariants(variants, { ...NO_FILTER, program: 'P0' })).toHaveLength(1)
  })

  it('sorts within cues', () => {
    const names = (sort: 'sheet' | 'seed') =>
      groupByCue(variants, sort)[0]?.variants.map(({ variant }) => variant)
    expect(names('sheet')).toEqual(['seed-10', 'seed-2'])
    expect(names('seed')).toEqual(['seed-2', 'seed-10'])
  })

  it('tells what the prompts of a cue share', () => {
    const promptOf = (...prompts: string[]) => {
      const { variants: read } = showOf(
        prompts.map((prompt, place) => ({ cue: 'c', variant: `${place}`, prompt, stepsMs: null })),
      )
      return groupByCue(read, 'sheet')[0]?.prompt
    }
    expect(promptOf('a forest at dawn', 'a forest at dusk', 'a forest in snow')).toBe('a forest …')
    expect([promptOf('one', 'one'), promptOf('one', 'two'), promptOf()]).toEqual(['one', null, undefined])
  })

  it('makes rows as wide as the list, and finds those in view', () => {
    const rows = galleryRows(groupByCue(variants, 'sheet'), 400, 180)
    expect(rows.map(({ kind }) => kind)).toEqual(['cue', 'tiles', 'cue', 'tiles'])
    const offsets = offsetsOf([10, 20, 30].map((height, at) => ({ key: String(at), height })))
    expect([
      rowsBetween(offsets, -5, 5),
      rowsBetween(offsets, 12, 29),
      rowsBetween(offsets, 30, 999),
    ]).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ])
    expect(rowsBetween([0], 0, 100)).toEqual([0, 0])
  })
})

it('a command redoes exactly one variant, whatever its id', () => {
  const target = { sheet: "it's.yaml", out: 'out', version: 'v 1' }
  expect(redoCommand(target, 'dawn', 'a[1]*')).toBe(
    "pregen run 'it'\\''s.yaml' --cue dawn --variant 'a\\[1\\]\\*' --version-id 'v 1' --force",
  )
})

it('an address says all, and survives any id', () => {
  const hash = formatRoute('gallery', ['a?b', '50 %'], { q: 'x&y', none: null })
  expect(parseRoute(hash)).toEqual({ view: 'gallery', path: ['a?b', '50 %'], params: { q: 'x&y' } })
  expect(parseRoute('#/nowhere/x')).toEqual({ view: null, path: [], params: {} })
  expect(parseRoute('#/grid/%E0%A4%A')).toMatchObject({ path: ['%E0%A4%A'] })
})

it('times are read at a glance', () => {
  expect([0.4, 38, 185, 7800].map(formatSeconds)).toEqual(['0.4 s', '38 s', '3 min 05 s', '2 h 10 min'])
  expect([400, 38_400, 2000].map(formatLeft)).toEqual(['0.4 s', '38 s', '2 s'])
})
