/** Tokenizer folders as a stranger would make them. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PregenError } from '../../src/errors.ts'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { editJson, tokenizerFolder } from './tokenizer-folders.ts'

type Json = Record<string, unknown>

async function refusal(folder: string, text = 'a'): Promise<PregenError> {
  try {
    const tokenizer = await createTokenizer(folder)
    tokenizer.tokenize(text)
  } catch (thrown) {
    if (thrown instanceof PregenError) return thrown
    throw thrown
  }
  throw new Error('nothing was refused')
}

const EVIL = '^(([a-z])+.)+[A-Z]([a-z])+$'

describe('regular expressions', () => {
  it.each([
    ['pre_tokenizer', { type: 'Split', pattern: { Regex: EVIL }, behavior: 'Isolated', invert: false }],
    [
      'pre_tokenizer',
      { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: '(a|a)*b' } }] },
    ],
    ['normalizer', { type: 'Replace', pattern: { Regex: '(x+x+)+y' }, content: '' }],
    [
      'normalizer',
      { type: 'Sequence', normalizers: [{ type: 'Replace', pattern: { Regex: EVIL }, content: '' }] },
    ],
    ['decoder', { type: 'Replace', pattern: { Regex: EVIL }, content: '' }],
    ['decoder', { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { Regex: EVIL } }] }],
    ['normalizer', { type: 'Replace', pattern: { Regex: ['\\s+'] }, content: '' }],
  ])('of a %s that no published tokenizer has: %j', async (part, value) => {
    const folder = tokenizerFolder('tiny-t5')
    editJson(folder, 'tokenizer.json', (json) => {
      json[part] = value
    })
    const fault = await refusal(folder, 'a'.repeat(60))
    expect(fault).toMatchObject({
      code: 'E_TOKENIZER_INVALID',
      location: { file: join(folder, 'tokenizer.json') },
    })
    expect(fault.message).toContain('regular expression')
  })
})

describe('texts that grow', () => {
  it.each([
    ['by one replacement', [{ type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(65) }]],
    [
      'by many',
      Array.from({ length: 40 }, () => ({ type: 'Replace', pattern: { String: 'a' }, content: 'aa' })),
    ],
    ['by more parts than any has', Array.from({ length: 1000 }, () => ({ type: 'NFC' }))],
  ])('%s', async (_, normalizers) => {
    const folder = tokenizerFolder('tiny-t5')
    editJson(folder, 'tokenizer.json', (json) => {
      json.normalizer = { type: 'Sequence', normalizers }
    })
    await expect(
      createTokenizer(folder).then((tokenizer) => tokenizer.tokenize('a'.repeat(1000))),
    ).rejects.toThrow(/more than|many times longer/)
  })

  it('by a character map with long replacements', async () => {
    const folder = tokenizerFolder('tiny-t5')
    const map = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(1000, 'x')])
    editJson(folder, 'tokenizer.json', (json) => {
      json.normalizer = { type: 'Precompiled', precompiled_charsmap: map.toString('base64') }
    })
    expect((await refusal(folder)).code).toBe('E_TOKENIZER_INVALID')
  })
})

describe('numbers and lengths', () => {
  it.each([4_294_967_295, 2 ** 53, -1, 1.5, '1', null])('an id of %j in the vocabulary', async (id) => {
    const folder = tokenizerFolder('tiny-clip')
    rmSync(join(folder, 'tokenizer.json'), { force: true })
    editJson(folder, 'vocab.json', (json) => {
      json.hostile = id
    })
    const fault = await refusal(folder)
    expect(fault.code).toBe('E_TOKENIZER_INVALID')
    expect(fault.message).not.toContain('hostile')
  })

  it('an id of an added token', async () => {
    const folder = tokenizerFolder('tiny-clip')
    writeFileSync(join(folder, 'added_tokens.json'), JSON.stringify({ '<x>': 1e9 }))
    expect((await refusal(folder)).code).toBe('E_TOKENIZER_INVALID')
  })

  it.each([
    ['too many', Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`<${i}>`, i]))],
    ['too long', { ['x'.repeat(1000)]: 7 }],
  ])('added tokens, %s', async (_, tokens) => {
    const folder = tokenizerFolder('tiny-clip')
    writeFileSync(join(folder, 'added_tokens.json'), JSON.stringify(tokens))
    expect((await refusal(folder)).code).toBe('E_TOKENIZER_INVALID')
  })

  it('pieces of a thousand characters', async () => {
    const folder = tokenizerFolder('tiny-t5')
    editJson(folder, 'tokenizer.json', (json) => {
      const model = json.model as { vocab: unknown[] }
      model.vocab.push(['y'.repeat(1000), -1])
    })
    expect((await refusal(folder)).code).toBe('E_TOKENIZER_INVALID')
  })

  it('a length that no encoder has stands for none', async () => {
    const folder = tokenizerFolder('tiny-clip')
    editJson(folder, 'tokenizer_config.json', (json: Json) => {
      json.model_max_length = 900_000
    })
    expect((await createTokenizer(folder)).modelMaxLength).toBe(77)
  })

  it('merges that name what is not there are not quoted', async () => {
    const folder = tokenizerFolder('tiny-clip')
    rmSync(join(folder, 'tokenizer.json'), { force: true })
    writeFileSync(join(folder, 'merges.txt'), '#version\nhunter2 secret\n')
    expect((await refusal(folder)).message).toMatch(/line 2 needs a token that vocab.json does not have/)
  })
})

describe('files', () => {
  it.each(['tokenizer.json', 'vocab.json', 'merges.txt', 'tokenizer_config.json'])(
    '%s of 100 MB',
    async (file) => {
      const folder = tokenizerFolder('tiny-clip')
      if (file !== 'tokenizer.json') rmSync(join(folder, 'tokenizer.json'), { force: true })
      writeFileSync(join(folder, file), '')
      truncateSync(join(folder, file), 1e8)
      expect((await refusal(folder)).code).toBe('E_MODEL_TOO_LARGE')
    },
  )

  it.each([
    ['deep', '['.repeat(1e5)],
    ['deep maps', '{"a":'.repeat(1e5)],
    ['quotes', '"\\"'.repeat(1e6)],
  ])('tokenizer.json, %s', async (_, text) => {
    const folder = tokenizerFolder('tiny-clip')
    writeFileSync(join(folder, 'tokenizer.json'), text)
    expect((await refusal(folder)).code).toBe('E_TOKENIZER_INVALID')
  })

  it('a folder in a file’s place', async () => {
    const folder = tokenizerFolder('tiny-clip')
    rmSync(join(folder, 'tokenizer.json'), { force: true })
    rmSync(join(folder, 'merges.txt'))
    mkdirSync(join(folder, 'merges.txt'))
    expect((await refusal(folder)).code).toBe('E_TOKENIZER_UNREADABLE')
  })
})
