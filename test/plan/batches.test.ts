import { describe, expect, it } from 'vitest'
import { SETTING_ROWS, type SettingName } from '../../src/cue-sheet/setting-types.ts'
import { groupIntoBatches } from '../../src/plan/batches.ts'
import type { Unit } from '../../src/plan/unit.ts'
import { groupBy } from '../../src/run/group-by.ts'
import { unitOf } from './helpers.ts'

const sizesOf = (units: readonly Partial<Unit>[]) =>
  groupIntoBatches(
    units.map((changes) => ({ unit: unitOf(changes) })),
    ({ unit }) => unit.prompt.length,
  ).map((batch) => batch.length)

describe('groupIntoBatches', () => {
  it('joins neighbours up to the batch that each allows', () => {
    expect(sizesOf([{ batch: 1 }, { batch: 1 }])).toEqual([1, 1])
    expect(sizesOf(new Array(5).fill({ batch: 2 }))).toEqual([2, 2, 1])
    expect(sizesOf([{ batch: 4 }, { batch: 2 }, { batch: 4 }])).toEqual([2, 1])
    expect(sizesOf([])).toEqual([])
  })

  it('lets prompts and seeds differ, and nothing that shapes the call', () => {
    const batch = 4
    expect(sizesOf([{ batch }, { batch, prompt: 'a seal', seed: 9n, negativePrompt: 'fog' }])).toEqual([2])
    expect(sizesOf([{ batch }, { batch, prompt: 'a longer text' }])).toEqual([1, 1])
    expect(sizesOf([{ batch }, { batch, prompt: 'a longer text' }, { batch }])).toEqual([1, 1, 1])
  })

  /** Another value of each setting, and whether one call can hold both. */
  const OTHERS: Readonly<Record<SettingName, readonly [other: Partial<Unit>, fits: boolean]>> = {
    model: [{ model: 'sdxl' }, false],
    prompt: [{ prompt: 'a seal' }, true],
    negativePrompt: [{ negativePrompt: 'fog' }, true],
    prompt2: [{ prompt2: 'b' }, true],
    negativePrompt2: [{ negativePrompt2: 'b' }, true],
    // Filled in before there is a unit.
    promptTemplate: [{}, true],
    promptSyntax: [{ promptSyntax: 'a1111' }, false],
    maxSequenceLength: [{ maxSequenceLength: 77 }, false],
    seed: [{ seed: 9n }, true],
    rng: [{ rng: 'philox' }, true],
    steps: [{ steps: 6 }, false],
    guidanceScale: [{ guidanceScale: 1 }, false],
    trueCfgScale: [{ trueCfgScale: 2 }, false],
    cfgNormalization: [{ cfgNormalization: 0.5 }, false],
    cfgTruncation: [{ cfgTruncation: 0.5 }, false],
    numFrames: [{ numFrames: 9 }, false],
    fps: [{ fps: 24 }, true],
    videoFormat: [{ videoFormat: 'webm' }, true],
    frames: [{ frames: true }, true],
    lastImage: [{ lastImage: { source: '/end.png', fit: undefined } }, false],
    video: [{ video: { source: '/clip', fit: undefined } }, false],
    guidanceScale2: [{ guidanceScale2: 3 }, false],
    width: [{ width: 64 }, false],
    height: [{ height: 64 }, false],
    scheduler: [{ scheduler: { name: 'euler', config: {} } }, false],
    previews: [{ previews: null }, true],
    film: [{ film: undefined }, true],
    thumbnail: [{ thumbnail: true }, true],
    embedMetadata: [{ embedMetadata: true }, true],
    // What each allows, and nothing that must be alike.
    batch: [{ batch: 3 }, true],
    mask: [{ mask: '/mask.png' }, false],
    images: [{ images: ['/a.png'] }, false],
    image: [{ image: { source: '/stage.png', fit: undefined } }, false],
    fit: [{ image: undefined }, true],
    denoiseStrength: [{ denoiseStrength: 0.5 }, false],
    exactCopyMode: [{ exactCopyMode: true }, true],
  }

  it.each(SETTING_ROWS.map(({ name }) => name))('%s', (name) => {
    const [other, fits] = OTHERS[name]
    expect(sizesOf([{ batch: 4 }, { batch: 4, ...other }])).toEqual(fits ? [2] : [1, 1])
  })
})

describe('groupBy', () => {
  it('keeps the order in which keys and items came', () => {
    const groups = groupBy(['bat', 'ant', 'bee', 'ape'], (word) => word[0])
    expect([...groups]).toEqual([
      ['b', ['bat', 'bee']],
      ['a', ['ant', 'ape']],
    ])
  })
})
