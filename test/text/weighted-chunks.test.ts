import { beforeAll, describe, expect, it } from 'vitest'
import { loadClipTokenizer } from '../../src/text/clip-tokenizer.ts'
import { loadT5Tokenizer } from '../../src/text/t5-tokenizer.ts'
import { applyTokenWeights } from '../../src/text/token-weights.ts'
import type { PromptTokenizer } from '../../src/text/tokenizer.ts'
import { chunkWeightedPrompt, padChunks } from '../../src/text/weighted-chunks.ts'
import fc from '../support/seed.ts'
import { tokenizerFolder } from './tokenizer-folders.ts'

let clip: PromptTokenizer
let bangPad: PromptTokenizer

beforeAll(async () => {
  clip = await loadClipTokenizer(tokenizerFolder('clip'))
  bangPad = await loadClipTokenizer(tokenizerFolder('clip-bang-pad'))
})

const begin = 49406
const end = 49407
const word = 2653
const comma = 267
const words = (count: number): string => 'word '.repeat(count)

describe('chunkWeightedPrompt', () => {
  it('gives each token the weight of its text, and 1 to the rest', () => {
    const [chunk] = chunkWeightedPrompt(clip, 'a (cat:1.3) [dog]').chunks
    expect([...chunk!.ids.slice(0, 6)]).toEqual([begin, 320, 2368, 1929, end, end])
    expect([...chunk!.weights.slice(0, 6)]).toEqual([1, 1, 1.3, 1 / 1.1, 1, 1].map(Math.fround))
    expect(chunk!.ids).toHaveLength(77)
    expect(chunk!.weights).toHaveLength(77)
  })

  it('cuts after 75 tokens', () => {
    const { chunks } = chunkWeightedPrompt(clip, words(76))
    expect(chunks).toHaveLength(2)
    expect([...chunks[0]!.ids]).toEqual([begin, ...Array<number>(75).fill(word), end])
    expect([...chunks[1]!.ids.slice(0, 3)]).toEqual([begin, word, end])
    expect(chunkWeightedPrompt(clip, words(75)).chunks).toHaveLength(1)
  })

  it('hands on what follows a comma up to 20 tokens back', () => {
    const { chunks } = chunkWeightedPrompt(clip, `${words(60)}, ${words(20)}`)
    expect(chunks[0]!.ids.indexOf(end)).toBe(62)
    expect(chunks[0]!.ids[61]).toBe(comma)
    expect(chunks[1]!.ids.indexOf(end)).toBe(21)
    const tooFar = chunkWeightedPrompt(clip, `${words(50)}, ${words(30)}`).chunks
    expect(tooFar[0]!.ids.indexOf(end)).toBe(76)
  })

  it('keeps weights with the tokens handed on', () => {
    const { chunks } = chunkWeightedPrompt(clip, `${words(70)}, (${words(10)}:1.5)`)
    expect([...chunks[1]!.weights.slice(0, 12)]).toEqual([1, ...Array<number>(10).fill(1.5), 1])
  })

  it('starts a new chunk at BREAK', () => {
    const { chunks } = chunkWeightedPrompt(clip, 'word BREAK word')
    expect(chunks.map(({ ids }) => [...ids.slice(0, 3)])).toEqual([
      [begin, word, end],
      [begin, word, end],
    ])
    expect(chunkWeightedPrompt(clip, 'word BREAK').chunks).toHaveLength(1)
  })

  it('pads after the first end token with the pad token', () => {
    const [chunk] = chunkWeightedPrompt(bangPad, 'word').chunks
    expect([...chunk!.ids.slice(0, 5)]).toEqual([begin, word, end, 0, 0])
    expect(chunk!.ids.at(-1)).toBe(0)
  })

  it('has one chunk for an empty prompt, equal to an empty prompt as diffusers has it', () => {
    for (const tokenizer of [clip, bangPad]) {
      const { chunks } = chunkWeightedPrompt(tokenizer, '')
      expect(chunks).toHaveLength(1)
      expect(chunks[0]!.ids).toEqual(tokenizer.tokenize('').ids)
      expect(padChunks(tokenizer, chunks, 3)).toEqual([chunks[0], chunks[0], chunks[0]])
      expect(padChunks(tokenizer, chunks, 0)).toEqual(chunks)
    }
  })

  it('equals plain tokenizing for any short plain text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ,.]{0,60}$/), (text) => {
        expect(chunkWeightedPrompt(bangPad, text).chunks[0]!.ids).toEqual(bangPad.tokenize(text).ids)
      }),
    )
  })

  it('loses no token of a long text', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('word', ',', 'cat', 'BREAK'), { maxLength: 300 }), (parts) => {
        const { chunks } = chunkWeightedPrompt(clip, parts.join(' '))
        const tokens = chunks.flatMap(({ ids }) => [...ids].filter((id) => id !== begin && id !== end))
        expect(tokens).toEqual(clip.encode(parts.filter((part) => part !== 'BREAK').join(' ')).slice(1, -1))
      }),
    )
  })

  it('refuses a T5 tokenizer', async () => {
    const t5 = await loadT5Tokenizer(tokenizerFolder('tiny-t5'))
    expect(() => chunkWeightedPrompt(t5, 'a')).toThrow(
      expect.objectContaining({ code: 'E_PROMPT_SYNTAX_UNSUPPORTED' }),
    )
  })
})

describe('applyTokenWeights', () => {
  it('multiplies rows, then restores the mean', () => {
    const embeddings = Float32Array.of(1, 2, 3, 4)
    const weighted = applyTokenWeights(embeddings, Float32Array.of(1, 2))
    expect([...weighted]).toEqual([1, 2, 6, 8].map((value) => Math.fround(value * (10 / 17))))
    expect([...embeddings]).toEqual([1, 2, 3, 4])
  })

  it('changes nothing where all weights are 1', () => {
    const embeddings = Float32Array.of(0.3, -0.1, 0.25, 1e-8)
    expect(applyTokenWeights(embeddings, Float32Array.of(1, 1))).toEqual(embeddings)
  })

  it('gives zeros, not NaN, where all weights are 0', () => {
    expect([...applyTokenWeights(Float32Array.of(1, 2), Float32Array.of(0))]).toEqual([0, 0])
  })

  it('refuses weights that do not fit', () => {
    expect(() => applyTokenWeights(new Float32Array(5), new Float32Array(2))).toThrow(RangeError)
  })
})
