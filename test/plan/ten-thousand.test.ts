import { describe, expect, it } from 'vitest'
import { decideUnit } from '../../src/plan/decide.ts'
import { digestOfParts, digestParts } from '../../src/plan/digest.ts'
import { expandUnits } from '../../src/plan/expand.ts'
import { unitFiles } from '../../src/plan/unit-files.ts'
import { parse } from '../cue-sheet/helpers.ts'
import { cpuMsOf, PLAN_YARDSTICKS, yardsticksOf } from '../support/yardstick.ts'
import { SD3_FACTS } from './helpers.ts'

const HEAD = 'version: v\nprograms: { P1: {} }\ndefaults: { steps: 20, width: 128 }\ncues:\n'
const COUNT = 10_000

function matrixSheet(): string {
  const list = Array.from({ length: 100 }, (_, i) => i + 1).join(', ')
  return `${HEAD}  all:\n    program: P1\n    prompt: x\n    prompt_template: "{prompt} number {take}"\n    matrix: { take: [${list}], seed: [${list}] }\n`
}

function listedSheet(): string {
  const variants = Array.from(
    { length: COUNT },
    (_, i) => `      v${i}: { seed: ${i}, prompt: hill number ${i} }\n`,
  )
  return `${HEAD}  all:\n    program: P1\n    variants:\n${variants.join('')}`
}

/** Parse, expand, digest and decide. */
function planAll(text: string): void {
  const digests = new Set<string>()
  const { units } = expandUnits(parse(text), { backdrop: SD3_FACTS })
  for (const unit of units) {
    const parts = digestParts(unit, { modelFingerprint: 'm', imageSha256: undefined, renderVersion: 1 })
    const digest = digestOfParts(parts)
    digests.add(digest)
    const expectedFiles = unitFiles(unit)
    const decision = decideUnit({
      digest,
      parts,
      expectedFiles,
      entry: null,
      fileStates: new Map(),
      force: false,
    })
    expect(decision.action).toBe('run')
  }
  expect(digests.size).toBe(COUNT)
}

describe('planning 10,000 variants', () => {
  it.each([
    ['from a matrix', matrixSheet()],
    ['written out one by one', listedSheet()],
  ])('%s takes what a second of a quiet processor does', async (_, text) => {
    const ratio = await yardsticksOf(() => planAll(text))
    console.log(`planning takes ${ratio.toFixed(1)} yardsticks`)
    expect(ratio).toBeLessThan(PLAN_YARDSTICKS)
  })

  it('reads them with the quicker of two libraries: the other alone takes longer than all the rest', () => {
    const text = listedSheet()
    // A tag is for the library that knows every place.
    const other = text.replace('version: v\n', 'version: !!str v\n')
    expect(other).not.toBe(text)
    // In turn, so that what slows the machine down slows both.
    const pairs = Array.from(
      { length: 4 },
      () => [cpuMsOf(() => planAll(text)), cpuMsOf(() => planAll(other))] as const,
    )
    const best = (which: 0 | 1) => Math.min(...pairs.map((pair) => pair[which]))
    expect(best(0)).toBeLessThan(0.75 * best(1))
  })
})
