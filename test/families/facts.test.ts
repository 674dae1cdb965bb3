import { describe, expect, it } from 'vitest'
import { COMPONENT_NAMES, FAMILIES, familyOf, TOKENIZER_NAMES } from '../../src/families/index.ts'

describe('the list of families', () => {
  it('carries diffusers’ defaults', () => {
    const defaults = FAMILIES.map(({ name, defaults: { steps, guidanceScale } }) => [
      name,
      steps,
      guidanceScale,
    ])
    expect(defaults).toEqual([
      ['sd', 50, 7.5],
      ['sdxl', 50, 5],
      ['sd3', 28, 7],
      ['lcm', 4, 8.5],
      ['flux', 28, 3.5],
      ['chroma', 35, 5],
      ['flux2', 50, 4],
      ['zimage', 50, 5],
      ['qwenimage', 50, 1],
      ['wan', 50, 5],
    ])
  })

  it('makes the names of components and tokenizers', () => {
    expect([...COMPONENT_NAMES].sort()).toEqual([
      ...[
        'image_encoder',
        'text_encoder',
        'text_encoder_2',
        'text_encoder_3',
        'transformer',
        'transformer_2',
        'unet',
      ],
      ...['vae_decoder', 'vae_decoder_with_past', 'vae_encoder', 'vae_encoder_with_past'],
    ])
    expect([...TOKENIZER_NAMES].sort()).toEqual(['tokenizer', 'tokenizer_2', 'tokenizer_3'])
  })

  it('names each family and class once', () => {
    const names = FAMILIES.flatMap(({ name, pipelineClass }): string[] => [name, pipelineClass])
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('published factors', () => {
  it.each([
    ['sd', 4],
    ['sdxl', 4],
    ['sd3', 16],
    ['flux', 16],
    ['chroma', 16],
    ['flux2', 32],
    ['lcm', 4],
    ['zimage', 16],
    ['qwenimage', 16],
  ] as const)('has factors of %s for %i channels', (family, channels) => {
    const { factors, bias } = familyOf(family).previewFactors()!
    expect(factors).toHaveLength(channels)
    expect([...factors.flat(), ...bias].every((value) => Number.isFinite(value) && Math.abs(value) < 1)).toBe(
      true,
    )
  })

  it('keeps the latent spaces apart, and gives an LCM those of the model it was made from', () => {
    expect(familyOf('sd').previewFactors()).not.toEqual(familyOf('sdxl').previewFactors())
    expect(familyOf('sd3').previewFactors()).not.toEqual(familyOf('flux').previewFactors())
    expect(familyOf('lcm').previewFactors()).toBe(familyOf('sd').previewFactors())
    expect(familyOf('lcm').previewFactors(0.18215)).toBe(familyOf('sd').previewFactors())
    expect(familyOf('lcm').previewFactors(0.13025)).toBe(familyOf('sdxl').previewFactors())
  })
})
