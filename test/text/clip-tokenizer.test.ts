import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadClipTokenizer } from '../../src/text/clip-tokenizer.ts'
import type { PromptTokenizer } from '../../src/text/tokenizer.ts'
import fc from '../support/seed.ts'
import { editJson, readGoldens, tokenizerFolder } from './tokenizer-folders.ts'

interface ClipGolden {
  readonly text: string
  readonly ids: number[]
  readonly ids_bang?: number[]
  readonly padded77_eos?: number[]
  readonly padded77_bang?: number[]
  readonly overflow_text?: string
}

interface TinyGolden {
  readonly text: string
  readonly clip: number[]
  readonly clip_fast?: number[]
  readonly clip_77: number[]
  readonly clip_77_bang: number[]
}

interface AwkwardGolden {
  readonly text: string
  readonly clip: number[]
  readonly 'clip-bang-pad': number[]
  readonly 'tiny-clip': number[]
}

const tinyTokenizerJson = {
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
  post_processor: { type: 'RobertaProcessing', cls: ['<|startoftext|>', 3], sep: ['<|endoftext|>', 4] },
  decoder: { type: 'ByteLevel' },
  added_tokens: [
    { id: 3, content: '<|startoftext|>', special: true },
    { id: 4, content: '<|endoftext|>', special: true },
  ],
  model: {
    type: 'BPE',
    unk_token: '<|endoftext|>',
    vocab: { a: 0, b: 1, ab: 2, '<|startoftext|>': 3, '<|endoftext|>': 4 },
    merges: ['a b'],
  },
}

let clip: PromptTokenizer
let bangPad: PromptTokenizer
let tiny: PromptTokenizer
let tinyBangPad: PromptTokenizer

beforeAll(async () => {
  ;[clip, bangPad, tiny, tinyBangPad] = (await Promise.all(
    ['clip', 'clip-bang-pad', 'tiny-clip', 'tiny-clip-bang-pad'].map((name) =>
      loadClipTokenizer(tokenizerFolder(name)),
    ),
  )) as [PromptTokenizer, PromptTokenizer, PromptTokenizer, PromptTokenizer]
})

describe("OpenAI's vocabulary", () => {
  const goldens = readGoldens<ClipGolden[]>('clip-goldens.json')

  it('has padded prompts and ones that are cut off among its goldens', () => {
    const recorded = (of: (golden: ClipGolden) => unknown) => goldens.filter((golden) => of(golden)).length
    expect(recorded((golden) => golden.padded77_eos)).toBeGreaterThan(20)
    expect(recorded((golden) => golden.padded77_bang)).toBeGreaterThan(20)
    expect(recorded((golden) => golden.overflow_text)).toBeGreaterThan(3)
  })

  it.each(goldens)('$text', ({ text, ids, ids_bang, padded77_eos, padded77_bang, overflow_text }) => {
    expect(clip.encode(text)).toEqual(ids)
    expect(bangPad.encode(text)).toEqual(ids_bang ?? ids)
    if (padded77_eos) expect([...clip.tokenize(text).ids]).toEqual(padded77_eos)
    if (padded77_bang) expect([...bangPad.tokenize(text).ids]).toEqual(padded77_bang)
    if (overflow_text) expect(clip.tokenize(text).truncatedText).toBe(overflow_text)
  })

  it('agrees on 400 random awkward strings', () => {
    for (const golden of readGoldens<AwkwardGolden[]>('awkward-goldens.json.gz')) {
      expect(clip.encode(golden.text), golden.text).toEqual(golden.clip)
      expect(bangPad.encode(golden.text), golden.text).toEqual(golden['clip-bang-pad'])
      expect(tiny.encode(golden.text), golden.text).toEqual(golden['tiny-clip'])
    }
  })
})

describe('a vocabulary of 1000 tokens', () => {
  it.each(readGoldens<{ rows: TinyGolden[] }>('tiny-goldens.json').rows)('$text', (golden) => {
    expect(tiny.encode(golden.text)).toEqual(golden.clip_fast ?? golden.clip)
    if (golden.clip_fast) return
    expect([...tiny.tokenize(golden.text).ids]).toEqual(golden.clip_77)
    expect([...tinyBangPad.tokenize(golden.text).ids]).toEqual(golden.clip_77_bang)
  })

  it('names its special tokens', () => {
    expect(tiny).toMatchObject({ vocabSize: 1000, bosTokenId: 998, eosTokenId: 999, padTokenId: 999 })
    expect(tinyBangPad).toMatchObject({ bosTokenId: 998, eosTokenId: 999, padTokenId: 0, modelMaxLength: 77 })
  })
})

describe('truncation', () => {
  it('keeps the end token and quotes what was cut', () => {
    const prompt = clip.tokenize('a cat on a red roof', 5)
    expect([...prompt.ids]).toEqual([49406, 320, 2368, 525, 49407])
    expect(prompt.untruncatedLength).toBe(8)
    expect(prompt.truncatedText).toBe('a red roof')
  })

  it('says nothing where everything fits exactly', () => {
    const prompt = clip.tokenize('a cat', 4)
    expect([...prompt.ids]).toEqual([49406, 320, 2368, 49407])
    expect(prompt.truncatedText).toBeNull()
  })

  it('refuses a length without room for the special tokens', () => {
    expect(() => clip.tokenize('a cat', 1)).toThrow(expect.objectContaining({ code: 'E_TOKENIZER_LENGTH' }))
  })

  it('takes model_max_length from the config, and 77 for one without a limit', async () => {
    const folder = tokenizerFolder('tiny-clip')
    editJson(folder, 'tokenizer_config.json', (config) => {
      config.model_max_length = 32
    })
    expect((await loadClipTokenizer(folder)).tokenize('a').ids).toHaveLength(32)
    editJson(folder, 'tokenizer_config.json', (config) => {
      config.model_max_length = 1e30
    })
    expect((await loadClipTokenizer(folder)).modelMaxLength).toBe(77)
  })

  it('gives, for any text, ids of the vocabulary between the special tokens', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 120 }),
        fc.integer({ min: 2, max: 90 }),
        (text, n) => {
          const { ids, untruncatedLength, truncatedText } = tiny.tokenize(text, n)
          expect(ids).toHaveLength(n)
          expect(ids[0]).toBe(998)
          expect(ids.includes(999)).toBe(true)
          expect(ids.every((id) => id >= 0 && id < 1000)).toBe(true)
          expect(truncatedText === null).toBe(untruncatedLength <= n)
        },
      ),
    )
  })
})

describe('text that is not well-formed', () => {
  it('reads a lone surrogate as U+FFFD', () => {
    expect(clip.encode('cat \ud83d dog \udc31')).toEqual(clip.encode('cat \ufffd dog \ufffd'))
  })

  it('does not stumble over 100,000 characters', () => {
    expect(clip.tokenize('word '.repeat(20_000)).untruncatedLength).toBe(20_002)
  })
})

describe('the files of a folder', () => {
  it('reads tokenizer.json in preference to vocab.json and merges.txt', async () => {
    const folder = tokenizerFolder('tiny-clip')
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tinyTokenizerJson))
    expect((await loadClipTokenizer(folder)).encode('ab!')).toEqual([3, 2, 4, 4])
  })

  it('does with vocab.json and merges.txt alone', async () => {
    const folder = tokenizerFolder('tiny-clip')
    rmSync(join(folder, 'tokenizer_config.json'))
    rmSync(join(folder, 'special_tokens_map.json'))
    const bare = await loadClipTokenizer(folder)
    expect([...bare.tokenize('a photo').ids]).toEqual([...tiny.tokenize('a photo').ids])
  })

  it('takes tokens from added_tokens.json', async () => {
    const folder = tokenizerFolder('tiny-clip')
    writeFileSync(join(folder, 'added_tokens.json'), JSON.stringify({ '<my-style>': 1000 }))
    expect((await loadClipTokenizer(folder)).encode('<my-style>')).toEqual([998, 1000, 999])
  })

  it.each([
    [
      'neither kind of file',
      (folder: string) => rmSync(join(folder, 'vocab.json')),
      'E_TOKENIZER_MISSING',
      '',
    ],
    ['no merges', (folder: string) => rmSync(join(folder, 'merges.txt')), 'E_TOKENIZER_MISSING', ''],
    ['HTML for vocab.json', write('vocab.json', '<!doctype html>'), 'E_TOKENIZER_INVALID', 'vocab.json'],
    ['a list for vocab.json', write('vocab.json', '[]'), 'E_TOKENIZER_INVALID', 'vocab.json'],
    ['no vocabulary', write('vocab.json', '{}'), 'E_TOKENIZER_INVALID', 'vocab.json'],
    ['an id that is text', write('vocab.json', '{"a":"0"}'), 'E_TOKENIZER_INVALID', 'vocab.json'],
    ['a vocabulary without the merges', write('vocab.json', '{"a":0}'), 'E_TOKENIZER_INVALID', 'merges.txt'],
    [
      'no special tokens',
      (folder: string) => {
        rmSync(join(folder, 'tokenizer_config.json'))
        writeFileSync(join(folder, 'vocab.json'), '{"a":0}')
      },
      'E_TOKENIZER_INVALID',
      'vocab.json',
    ],
    [
      'a tokenizer.json without an end token',
      write('tokenizer.json', JSON.stringify({ ...tinyTokenizerJson, post_processor: null })),
      'E_TOKENIZER_INVALID',
      'tokenizer.json',
    ],
    ['a broken merge', write('merges.txt', '#v\ni\n'), 'E_TOKENIZER_INVALID', 'merges.txt'],
    ['an unknown merge', write('merges.txt', '#v\ni é\n'), 'E_TOKENIZER_INVALID', 'merges.txt'],
    ['a broken config', write('tokenizer_config.json', '{'), 'E_TOKENIZER_INVALID', 'tokenizer_config.json'],
    ['a tokenizer.json of nothing', write('tokenizer.json', '{}'), 'E_TOKENIZER_INVALID', 'tokenizer.json'],
    [
      'an unknown model',
      write('tokenizer.json', '{"model":{"type":"Q","vocab":{"a":0}}}'),
      'E_TOKENIZER_INVALID',
      'tokenizer.json',
    ],
    [
      'a pad token without an id',
      (folder: string) =>
        editJson(folder, 'tokenizer_config.json', (config) => {
          config.pad_token = 'nowhere'
        }),
      'E_TOKENIZER_INVALID',
      'tokenizer_config.json',
    ],
  ])('%s is an error that names the file', async (_, spoil, code, file) => {
    const folder = tokenizerFolder('tiny-clip')
    spoil(folder)
    await expect(loadClipTokenizer(folder)).rejects.toMatchObject({
      code,
      location: { file: file === '' ? folder : join(folder, file) },
    })
  })

  it('tells a Git LFS pointer from a broken file', async () => {
    const folder = tokenizerFolder('tiny-clip')
    writeFileSync(join(folder, 'vocab.json'), 'version https://git-lfs.github.com/spec/v1\n')
    await expect(loadClipTokenizer(folder)).rejects.toMatchObject({
      help: expect.stringContaining('git lfs pull'),
    })
  })
})

function write(file: string, text: string): (folder: string) => void {
  return (folder) => writeFileSync(join(folder, file), text)
}
