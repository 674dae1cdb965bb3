import { describe, expect, it } from 'vitest'
import type { ModelFacts } from '../../src/plan/model-facts.ts'
import type { PreviewMethod } from '../../src/plan/unit.ts'
import { type PreviewModelFacts, resolvePreviewMethod } from '../../src/preview/resolve.ts'

const SD: PreviewModelFacts = {
  family: 'sd',
  latentChannels: 4,
  hasPreviewDecoder: false,
  hasLatentRgb: true,
}
const BARE: PreviewModelFacts = {
  family: 'wan',
  latentChannels: 16,
  hasPreviewDecoder: false,
  hasLatentRgb: false,
}

describe('resolvePreviewMethod', () => {
  const withDecoder = { ...SD, hasPreviewDecoder: true }
  it.each([
    ['none', SD, null],
    ['latent2rgb', SD, 'latent2rgb'],
    ['full', SD, 'full'],
    ['auto', SD, 'latent2rgb'],
    ['none', withDecoder, null],
    ['latent2rgb', withDecoder, 'latent2rgb'],
    ['taesd', withDecoder, 'taesd'],
    ['full', withDecoder, 'full'],
    ['auto', withDecoder, 'taesd'],
    ['full', BARE, 'full'],
    ['none', BARE, null],
    ['auto', { ...BARE, hasPreviewDecoder: true }, 'taesd'],
    ['latent2rgb', { ...BARE, hasLatentRgb: true, latentRgbChannels: 16 }, 'latent2rgb'],
  ] as const)('%s with %j is %s', (asked, facts, expected) => {
    expect(resolvePreviewMethod(asked, facts)).toBe(expected)
  })

  it.each([
    ['taesd', SD, 'E_PREVIEW_DECODER', /no preview decoder/],
    ['latent2rgb', BARE, 'E_PREVIEW_FACTORS', /family "wan", 16 latent channels/],
    ['auto', BARE, 'E_PREVIEW_FACTORS', /family "wan"/],
    [
      'latent2rgb',
      { ...SD, latentChannels: 16, hasLatentRgb: false },
      'E_PREVIEW_CHANNELS',
      /published factors of the family "sd" are for 4 latent channels, but this model's latents have 16/,
    ],
    [
      'auto',
      { ...SD, latentChannels: 16, hasLatentRgb: false },
      'E_PREVIEW_CHANNELS',
      /for 4 latent channels/,
    ],
    ['latent2rgb', { ...SD, latentRgbChannels: 16 }, 'E_PREVIEW_CHANNELS', /preview\.json are for 16/],
  ] as const)('%s with %j is refused with %s', (asked, facts, code, message) => {
    expect(() => resolvePreviewMethod(asked, facts)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message), help: expect.any(String) }),
    )
  })

  it('takes the methods of a cue sheet and the facts of a plan as they are', () => {
    const ask = (method: PreviewMethod, facts: ModelFacts) => resolvePreviewMethod(method, facts)
    const facts: ModelFacts = {
      family: 'sd3',
      fingerprint: '',
      defaults: { steps: 28, guidanceScale: 7, width: 1024, height: 1024 },
      sizeMultiple: 16,
      latentChannels: 16,
      schedulerClass: 'FlowMatchEulerDiscreteScheduler',
      schedulerConfig: {},
      hasVaeEncoder: true,
      hasPreviewDecoder: false,
      hasLatentRgb: true,
      maxSequenceLength: 256,
    }
    expect(ask('auto', facts)).toBe('latent2rgb')
  })
})
