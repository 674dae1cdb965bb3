import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { editJson, tokenizerFolder } from './tokenizer-folders.ts'

it.each([
  ['tiny-clip', 'clip'],
  ['tiny-clip-bang-pad', 'clip'],
  ['tiny-t5', 't5'],
])('%s is %s by its class, and by its files', async (name, kind) => {
  const folder = tokenizerFolder(name)
  expect((await createTokenizer(folder)).kind).toBe(kind)
  rmSync(join(folder, 'tokenizer_config.json'))
  expect((await createTokenizer(folder)).kind).toBe(kind)
})

it('names a class that is not supported', async () => {
  const folder = tokenizerFolder('tiny-clip')
  editJson(folder, 'tokenizer_config.json', (config) => {
    config.tokenizer_class = 'GemmaTokenizer'
  })
  await expect(createTokenizer(folder)).rejects.toMatchObject({ code: 'E_TOKENIZER_UNSUPPORTED' })
})

it('names a folder that is not there', async () => {
  await expect(createTokenizer('/no/such/folder')).rejects.toMatchObject({
    code: 'E_TOKENIZER_MISSING',
    location: { file: '/no/such/folder' },
  })
})

it('names a file that is a folder', async () => {
  const folder = tokenizerFolder('tiny-clip')
  mkdirSync(join(folder, 'tokenizer.json'))
  await expect(createTokenizer(folder)).rejects.toMatchObject({ code: 'E_TOKENIZER_UNREADABLE' })
})
