import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadT5Tokenizer } from '../../src/text/t5-tokenizer.ts'
import type { PromptTokenizer } from '../../src/text/tokenizer.ts'
import { editJson, readGoldens, tokenizerFolder } from './tokenizer-folders.ts'

interface T5Golden {
  readonly text: string
  readonly ids: number[]
  readonly ids_first?: number[]
  readonly padded256?: number[]
  readonly truncated256?: number[]
  readonly truncated512?: number[]
  readonly overflow256_text?: string
}

let t5: PromptTokenizer
let prependFirst: PromptTokenizer
let tiny: PromptTokenizer

beforeAll(async () => {
  t5 = await loadT5Tokenizer(tokenizerFolder('t5'))
  tiny = await loadT5Tokenizer(tokenizerFolder('tiny-t5'))
  const folder = tokenizerFolder('t5')
  editJson(folder, 'tokenizer.json', (json) => {
    json.pre_tokenizer = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true }
  })
  prependFirst = await loadT5Tokenizer(folder)
})

describe("T5 v1.1's vocabulary", () => {
  it.each(readGoldens<T5Golden[]>('t5-goldens.json'))('$text', (golden) => {
    expect(t5.encode(golden.text)).toEqual(golden.ids)
    expect(prependFirst.encode(golden.text)).toEqual(golden.ids_first ?? golden.ids)
    const at256 = golden.padded256 ?? golden.truncated256
    if (at256) expect([...t5.tokenize(golden.text, 256).ids]).toEqual(at256)
    if (golden.truncated512) expect([...t5.tokenize(golden.text).ids]).toEqual(golden.truncated512)
    if (golden.overflow256_text) {
      expect(t5.tokenize(golden.text, 256).truncatedText).toBe(golden.overflow256_text)
    }
  })

  // Equally likely pieces: the last bit of a sum of scores decides. Recorded with tokenizers 0.22.2.
  it.each([
    ['-----', [1636, 14817]],
    ['-------', [3, 14817, 14817, 18]],
    ['a -------', [3, 9, 3, 14817, 14817, 18]],
    ['dog cat -------', [1782, 1712, 3, 14817, 14817, 18]],
    ['1-------', [8218, 14817, 14817]],
  ])('splits "%s" as the Rust library', (text, ids) => {
    expect(t5.encode(text)).toEqual([...ids, 1])
  })

  it('agrees on 400 random awkward strings', () => {
    for (const golden of readGoldens<{ text: string; t5: number[]; 'tiny-t5': number[] }[]>(
      'awkward-goldens.json.gz',
    )) {
      expect(t5.encode(golden.text), golden.text).toEqual(golden.t5)
      expect(tiny.encode(golden.text), golden.text).toEqual(golden['tiny-t5'])
    }
  })

  it('has no opening token, and pads with 0', () => {
    expect(t5).toMatchObject({
      kind: 't5',
      bosTokenId: null,
      eosTokenId: 1,
      padTokenId: 0,
      modelMaxLength: 512,
    })
  })

  it('reads a lone surrogate as U+FFFD', () => {
    expect(t5.encode('cat \ud83d dog')).toEqual(t5.encode('cat \ufffd dog'))
  })
})

it.each(readGoldens<{ rows: { text: string; t5: number[] }[] }>('tiny-goldens.json').rows)(
  'a small vocabulary: $text',
  ({ text, t5: ids }) => {
    expect(tiny.encode(text)).toEqual(ids)
  },
)

describe('the files of a folder', () => {
  it('says how to make tokenizer.json where there is none', async () => {
    const folder = tokenizerFolder('tiny-t5')
    rmSync(join(folder, 'tokenizer.json'))
    await expect(loadT5Tokenizer(folder)).rejects.toMatchObject({
      code: 'E_TOKENIZER_MISSING',
      help: expect.stringContaining('spiece.model'),
      location: { file: folder },
    })
  })

  it('does with tokenizer.json alone', async () => {
    const folder = tokenizerFolder('tiny-t5')
    rmSync(join(folder, 'tokenizer_config.json'))
    rmSync(join(folder, 'special_tokens_map.json'))
    const bare = await loadT5Tokenizer(folder)
    expect(bare.tokenize('a cat').ids).toEqual(tiny.tokenize('a cat').ids)
  })

  it.each([
    ['a BPE model', { model: { type: 'BPE', vocab: {} } }],
    ['a vocabulary without scores', { model: { type: 'Unigram', unk_id: 0, vocab: ['a'] } }],
    ['an unknown token outside the vocabulary', { model: { type: 'Unigram', unk_id: 7, vocab: [['a', 0]] } }],
    ['an unknown normalizer', { normalizer: { type: 'Rot13' } }],
    [
      'a character map that is cut off',
      { normalizer: { type: 'Precompiled', precompiled_charsmap: 'ALQC' } },
    ],
    ['added tokens that are no list', { added_tokens: {} }],
    ['an added token without an id', { added_tokens: [{ content: '<x>' }] }],
  ])('%s is an error that names the file', async (_, change) => {
    const folder = tokenizerFolder('tiny-t5')
    editJson(folder, 'tokenizer.json', (json) => Object.assign(json, change))
    await expect(loadT5Tokenizer(folder)).rejects.toMatchObject({
      code: 'E_TOKENIZER_INVALID',
      location: { file: join(folder, 'tokenizer.json') },
    })
  })

  it('names a file that cannot be read', async () => {
    const folder = tokenizerFolder('tiny-t5')
    rmSync(join(folder, 'tokenizer.json'))
    writeFileSync(join(folder, 'tokenizer.json'), 'null')
    await expect(loadT5Tokenizer(folder)).rejects.toMatchObject({ code: 'E_TOKENIZER_INVALID' })
  })
})
