import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { editJson, readGoldens, tokenizerFolder } from './tokenizer-folders.ts'

const goldens = readGoldens<{ text: string; ids: number[] }[]>('tiny-qwen-goldens.json.gz')

it("gives Qwen2TokenizerFast's ids on 1,200 awkward strings, with and without tokenizer.json", async () => {
  const folder = tokenizerFolder('tiny-qwen')
  const whole = await createTokenizer(folder)
  rmSync(join(folder, 'tokenizer.json'))
  const parts = await createTokenizer(folder)
  expect(goldens).toHaveLength(1200)
  for (const { text, ids } of goldens) {
    expect(whole.encode(text), text).toEqual(ids)
    expect(parts.encode(text), text).toEqual(ids)
  }
})

it('adds nothing to a text, cuts on the right and pads with <|endoftext|>', async () => {
  const tokenizer = await createTokenizer(tokenizerFolder('tiny-qwen'))
  expect(tokenizer).toMatchObject({
    kind: 'byte-bpe',
    bosTokenId: null,
    padTokenId: 697,
    eosTokenId: 699,
    modelMaxLength: 512,
  })
  const [a, small, fox, ...running] = tokenizer.encode('a small fox running')
  expect([...tokenizer.tokenize('a small fox', 5).ids]).toEqual([a, small, fox, 697, 697])
  expect(tokenizer.tokenize('a small fox running', 3)).toEqual({
    ids: Int32Array.from([a!, small!, fox!]),
    untruncatedLength: 3 + running.length,
    truncatedText: 'running',
  })
  expect([...tokenizer.encode('')]).toEqual([])
  expect(() => tokenizer.tokenize('', 0)).toThrow(expect.objectContaining({ code: 'E_TOKENIZER_LENGTH' }))
})

it('reads special tokens within a text as such', async () => {
  const tokenizer = await createTokenizer(tokenizerFolder('tiny-qwen'))
  expect(tokenizer.encode('<|im_start|><think>')).toEqual([698, 721])
})

it('is known by its files where no class is named', async () => {
  const folder = tokenizerFolder('tiny-qwen')
  editJson(folder, 'tokenizer_config.json', (config) => {
    delete config.tokenizer_class
  })
  expect((await createTokenizer(folder)).kind).toBe('byte-bpe')
})

it('says what a folder lacks', async () => {
  const folder = tokenizerFolder('tiny-qwen')
  rmSync(join(folder, 'tokenizer.json'))
  rmSync(join(folder, 'merges.txt'))
  await expect(createTokenizer(folder)).rejects.toMatchObject({ code: 'E_TOKENIZER_MISSING' })
  writeFileSync(join(folder, 'merges.txt'), '#version: 0.2\nq zz9\n')
  await expect(createTokenizer(folder)).rejects.toMatchObject({ code: 'E_TOKENIZER_INVALID' })
})
