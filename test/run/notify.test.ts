import { describe, expect, it } from 'vitest'
import type { ManifestAsset } from '../../src/artifacts/manifest.ts'
import { callbackBody } from '../../src/run/notify.ts'
import { evenlySpaced } from '../../src/tasks/rerender.ts'

function assetOf(mode: string, seconds: number): ManifestAsset {
  return {
    type: 'image',
    cue: 'dawn',
    variant: 'wide',
    program: 'P1',
    url: 'cues/dawn/wide/final.png',
    thumbnail_url: null,
    timing_url: null,
    metadata: {
      width: 64,
      height: 64,
      format: 'png',
      seed: '7',
      steps: 20,
      steps_executed: 20,
      guidance_scale: 4.5,
      scheduler: 'euler',
      model: 'backdrop',
      model_fingerprint: 'f',
      file_size_bytes: 1,
      sha256: '0',
      generation_time: seconds,
      reference_mode: mode,
      asset_index: 0,
    },
  }
}

describe('the body of a callback', () => {
  it.each([
    { modes: [], job_type: 'text_to_image', reference_mode: 'none' },
    { modes: ['none', 'none'], job_type: 'text_to_image', reference_mode: 'none' },
    { modes: ['img2img'], job_type: 'image_to_image', reference_mode: 'img2img' },
    { modes: ['img2img', 'exact_copy'], job_type: 'image_to_image', reference_mode: 'mixed' },
    { modes: ['none', 'img2img'], job_type: 'mixed', reference_mode: 'mixed' },
  ])('says what $modes have in common', ({ modes, job_type, reference_mode }) => {
    const assets = modes.map((mode) => assetOf(mode, 1))
    expect(callbackBody('night', 'completed', assets).metadata).toMatchObject({ job_type, reference_mode })
  })

  it('sums the time of its assets without the dust of binary fractions', () => {
    const assets = [assetOf('none', 0.1), assetOf('none', 0.2)]
    expect(callbackBody('night', 'partial', assets)).toMatchObject({
      job_id: 'night',
      status: 'partial',
      assets,
      metadata: { generation_time: 0.3 },
    })
  })
})

describe('spread', () => {
  it.each([
    [1, [0]],
    [2, [0, 9]],
    [4, [0, 3, 6, 9]],
    [10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [11, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ])('takes %d of ten', (count, expected) => {
    expect(evenlySpaced([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], count)).toEqual(expected)
  })
})
