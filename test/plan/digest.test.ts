import { describe, expect, it } from 'vitest'
import { type Canonical, canonicalJson } from '../../src/plan/canonical-json.ts'
import { type DigestContext, digestOfParts, digestParts, explainChange } from '../../src/plan/digest.ts'
import type { Unit } from '../../src/plan/unit.ts'
import fc from '../support/seed.ts'
import { unitOf } from './helpers.ts'

const CONTEXT: DigestContext = { modelFingerprint: 'm1', imageSha256: undefined, renderVersion: 1 }

const digestUnit = (unit: Unit, context: DigestContext) => digestOfParts(digestParts(unit, context))

describe('canonicalJson', () => {
  it('sorts keys, leaves absent ones out, writes bigints as text', () => {
    expect(canonicalJson({ b: [1, null, undefined], a: { d: undefined, c: 2n }, '': 'é"' })).toBe(
      '{"":"é\\"","a":{"c":"2"},"b":[1,null,null]}',
    )
    expect(() => canonicalJson({ a: Number.NaN })).toThrow(TypeError)
  })

  it('is JSON, and the same for the same value in any order of keys', () => {
    const flat = fc.dictionary(
      fc.string(),
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    )
    fc.assert(
      fc.property(flat, (value) => {
        const reversed: Record<string, Canonical> = Object.fromEntries(Object.entries(value).reverse())
        expect(canonicalJson(reversed)).toBe(canonicalJson(value))
        expect(JSON.parse(canonicalJson(value))).toEqual({ ...value })
      }),
    )
  })
})

it('a digest outlives changes of the table of settings: a resumed folder draws nothing anew', () => {
  // Made by the first release.
  expect(digestUnit(unitOf(), CONTEXT)).toBe(
    '576f9c54ecb8ef00239d6722d74f13c1c714451b39f4656d466c4a8bd0a6a8ac',
  )
  const busy = unitOf({
    ...{ negativePrompt: '', prompt2: 'b', maxSequenceLength: 77, previews: null, denoiseStrength: 0.5 },
    ...{ embedMetadata: true, scheduler: { name: 'euler', config: { use_karras_sigmas: true } } },
    image: { source: '/a.png', fit: 'cover' },
  })
  expect(digestUnit(busy, { ...CONTEXT, imageSha256: 'ab' })).toBe(
    '8f26a402048309451a715f140de7d32ad869490e8b65e0a14c727e6b7982033a',
  )
})

/** One change of everything that decides pixels or files, and the reason that it must give. */
const CHANGES: readonly [reason: string, unit: Partial<Unit>, context?: Partial<DigestContext>][] = [
  ['prompt changed', { prompt: 'a hill ' }],
  ['negative prompt changed', { negativePrompt: '' }],
  ['second prompt changed', { prompt2: '' }],
  ['second negative prompt changed', { negativePrompt2: '' }],
  ['prompt syntax changed', { promptSyntax: 'a1111' }],
  ['longest sequence changed', { maxSequenceLength: 77 }],
  ['seed changed', { seed: 8n }],
  ['rng changed', { rng: 'philox' }],
  ['steps changed', { steps: 6, executedSteps: 6 }],
  ['executed steps changed', { executedSteps: 4 }],
  ['guidance changed', { guidanceScale: 4.6 }],
  ['true CFG scale changed', { trueCfgScale: 4 }],
  ['CFG normalization changed', { cfgNormalization: 1 }],
  ['CFG truncation changed', { cfgTruncation: 0.5 }],
  ['size changed', { width: 144 }],
  ['size changed', { height: 144 }],
  ['scheduler changed', { scheduler: { name: 'euler', config: {} } }],
  ['scheduler changed', { scheduler: { name: undefined, config: { shift: 2 } } }],
  ['previews changed', { previews: null }],
  ['previews changed', { previews: { method: 'taesd', every: 2, source: 'denoised', size: 'image' } }],
  ['fit changed', { image: { source: '/a.png', fit: 'cover' } }],
  ['denoise strength changed', { denoiseStrength: 0.5 }],
  ['exact copy mode changed', { exactCopyMode: true }],
  ['thumbnail changed', { thumbnail: true }],
  ['embedded metadata changed', { embedMetadata: true }],
  ['model changed', {}, { modelFingerprint: 'm2' }],
  ['image changed', {}, { imageSha256: 'abc' }],
  ['render version changed', {}, { renderVersion: 2 }],
]

describe('digest', () => {
  it('is the sha-256 of canonical JSON, and stays what it was', () => {
    // A new figure here draws every unit of every show anew: raise the render version instead.
    expect(digestUnit(unitOf(), CONTEXT)).toBe(
      '576f9c54ecb8ef00239d6722d74f13c1c714451b39f4656d466c4a8bd0a6a8ac',
    )
  })

  it.each(CHANGES)('%s', (reason, change, context = {}) => {
    const before = digestParts(unitOf(), CONTEXT)
    const after = digestParts(unitOf(change), { ...CONTEXT, ...context })
    expect(digestOfParts(after)).not.toBe(digestOfParts(before))
    expect(explainChange(before, after)).toBe(reason)
  })

  it('does not move with names: cue, variant, program, the id of the model, the path of the image', () => {
    const before = digestUnit(unitOf({ image: { source: '/a.png', fit: undefined } }), CONTEXT)
    const renamed = {
      cue: 'x',
      variant: 'y',
      program: 'P9',
      model: 'm',
      image: { source: '/b.png', fit: undefined },
    }
    expect(digestUnit(unitOf(renamed), CONTEXT)).toBe(before)
  })

  it('covers every field of a unit but its names', () => {
    // Whether it is guided follows from guidance and negative prompt, the kind of output from the model; a batch
    // decides no picture.
    const names = ['cue', 'variant', 'program', 'model', 'image', 'guided', 'output', 'batch']
    const covered = new Set(CHANGES.flatMap(([, change]) => Object.keys(change)))
    const fields = Object.keys(unitOf()).filter((field) => !names.includes(field))
    expect(fields.filter((field) => !covered.has(field))).toEqual([])
  })

  it('the id of the model counts where it is written into the picture', () => {
    const embedMetadata = true
    expect(digestUnit(unitOf({ embedMetadata, model: 'a' }), CONTEXT)).not.toBe(
      digestUnit(unitOf({ embedMetadata, model: 'b' }), CONTEXT),
    )
  })

  it('survives a ledger: parts read back from JSON give the same digest', () => {
    const scheduler = { name: 'euler', config: { use_karras_sigmas: true, nothing: undefined } } as const
    const parts = digestParts(unitOf({ seed: 2n ** 64n - 1n, scheduler }), CONTEXT)
    const read = JSON.parse(JSON.stringify(parts))
    expect(digestOfParts(read)).toBe(digestOfParts(parts))
    expect(explainChange(read, parts)).toBeUndefined()
  })

  it('names several changes', () => {
    const parts = (change: Partial<Unit>) => digestParts(unitOf(change), CONTEXT)
    expect(explainChange(parts({}), parts({ prompt: 'b', seed: 1n }))).toBe('prompt and seed changed')
    expect(explainChange(parts({}), parts({ prompt: 'b', seed: 1n, rng: 'philox' }))).toBe(
      'prompt, seed and rng changed',
    )
    expect(explainChange({ ...parts({}), old: 1 }, parts({}))).toBe('old changed')
  })
})

it('does not change with the batch, which decides no picture', () => {
  const context = { modelFingerprint: 'f', imageSha256: undefined, renderVersion: 1 }
  const digestOf = (batch: number) => digestOfParts(digestParts(unitOf({ batch }), context))
  expect(digestOf(8)).toBe(digestOf(1))
})
