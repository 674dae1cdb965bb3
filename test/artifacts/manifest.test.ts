import { describe, expect, it } from 'vitest'
import {
  assetUrl,
  createManifest,
  encodeManifest,
  type ManifestAsset,
  mergeManifests,
  parseManifest,
} from '../../src/artifacts/manifest.ts'
import fc from '../support/seed.ts'

function asset(index: number, variant = `seed-${index}`, sha256 = 'ab'): ManifestAsset {
  return {
    type: 'image',
    cue: 'dawn',
    variant,
    program: 'P1',
    url: `cues/dawn/${variant}/final.png`,
    thumbnail_url: null,
    timing_url: `cues/dawn/${variant}/timing.json`,
    metadata: {
      width: 128,
      height: 128,
      format: 'png',
      seed: '18446744073709551615',
      steps: 20,
      steps_executed: 20,
      guidance_scale: 4.5,
      scheduler: 'euler',
      model: 'backdrop',
      model_fingerprint: 'f00',
      file_size_bytes: 1000,
      sha256,
      generation_time: 1.25,
      reference_mode: 'none',
      asset_index: index,
    },
  }
}

const text = (manifest: Parameters<typeof encodeManifest>[0]) =>
  new TextDecoder().decode(encodeManifest(manifest))

describe('manifest', () => {
  it('is the same however the shards are cut and in whichever order they end', () => {
    const assets = Array.from({ length: 12 }, (_, i) => asset(i))
    const whole = text(createManifest('v', assets))
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 4 }), { minLength: 12, maxLength: 12 }),
        fc.boolean(),
        (shard, reverse) => {
          const parts = [0, 1, 2, 3, 4].map((n) =>
            createManifest(
              'v',
              assets.filter((_, i) => shard[i] === n),
            ),
          )
          expect(text(mergeManifests('v', reverse ? parts.reverse() : parts))).toBe(whole)
        },
      ),
    )
  })

  it('keeps what a rerun skipped, replaces what it made, and drops what is in the sheet no more', () => {
    const before = createManifest('v', [asset(0), asset(1), asset(2)])
    const now = createManifest('v', [asset(1, 'seed-1', 'cd')])
    const merged = mergeManifests('v', [before, now], (_, variant) => variant !== 'seed-2')
    expect(merged.assets.map(({ variant, metadata }) => [variant, metadata.sha256])).toEqual([
      ['seed-0', 'ab'],
      ['seed-1', 'cd'],
    ])
    expect(() => mergeManifests('w', [before])).toThrow(/version v/)
  })

  it('reads what it wrote', () => {
    const manifest = createManifest('v', [asset(0), asset(1)])
    expect(parseManifest(text(manifest), 'manifest.json')).toEqual(manifest)
  })

  it.each([
    ['nonsense', 'JSON'],
    ['[]', 'not a map'],
    ['{"manifest_version":2}', 'manifest_version is 2'],
    ['{}', 'manifest_version is undefined'],
    ['{"manifest_version":1,"assets":[]}', '"version"'],
    ['{"manifest_version":1,"version":"v"}', '"assets"'],
    ['{"manifest_version":1,"version":"v","assets":[{"type":"image"}]}', 'assets\\[0\\].cue'],
    [
      JSON.stringify({ manifest_version: 1, version: 'v', assets: [{ ...asset(0), metadata: {} }] }),
      'metadata.width',
    ],
  ])('refuses %s', (bad, why) => {
    expect(() => parseManifest(bad, 'm.json')).toThrow(new RegExp(`m.json.*${why}`))
  })

  it('makes urls relative to itself, or absolute, with ids encoded', () => {
    const key = 'foigoi/v/cues/a b/晨/final.png'
    expect(assetUrl(key, 'foigoi/v')).toBe('cues/a%20b/%E6%99%A8/final.png')
    expect(assetUrl(key, 'foigoi/v', 'https://cdn.example/show/')).toBe(
      'https://cdn.example/show/foigoi/v/cues/a%20b/%E6%99%A8/final.png',
    )
  })
})
