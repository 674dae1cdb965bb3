/** Links, pipes and devices in every place where a model has a file. */
import { mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readPreviewDecoderConfig } from '../../src/preview/decoder.ts'
import { readPreviewJson } from '../../src/preview/preview-json.ts'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { scratchFolder } from '../support/scratch.ts'
import { copyModel } from './fixtures.ts'
import { inHubCache, makeFifo, planModel, refusals, replaceFile } from './hostile.ts'
import { onnxModel } from './onnx-builder.ts'

const SECRET = 'root:x:0:0:hunter2'

/** A folder elsewhere, with a secret in it. */
function secretFile(): string {
  const file = join(scratchFolder(), 'secret')
  writeFileSync(file, SECRET)
  return file
}

const FILES = [
  'model_index.json',
  'scheduler/scheduler_config.json',
  'unet/config.json',
  'unet/model.onnx',
  'vae_decoder/config.json',
  'vae_encoder/model.onnx',
  'text_encoder/config.json',
  'tokenizer/vocab.json',
  'tokenizer/merges.txt',
  'tokenizer/tokenizer.json',
  'tokenizer/tokenizer_config.json',
  'tokenizer/special_tokens_map.json',
  'tokenizer/added_tokens.json',
  'preview.json',
  'SHA256SUMS',
]

describe.each(FILES)('%s', (file) => {
  test('as a link that leads out of the folder', async () => {
    const folder = copyModel('sd15-tiny')
    const secret = secretFile()
    replaceFile(join(folder, file), (path) => symlinkSync(secret, path))
    const faults = await refusals(() => planModel(folder))
    expect(faults.map(({ code }) => code)).toContain('E_MODEL_LINK')
    expect(faults.map(({ message, help }) => message + help).join()).not.toContain('hunter2')
  })

  test('as a pipe that nobody writes to', async () => {
    const folder = copyModel('sd15-tiny')
    replaceFile(join(folder, file), makeFifo)
    const faults = await refusals(() => planModel(folder))
    expect(faults.map(({ code }) => code)).toContain('E_MODEL_NOT_A_FILE')
  })

  test('as a device', async () => {
    const folder = copyModel('sd15-tiny')
    replaceFile(join(folder, file), (path) => symlinkSync('/dev/zero', path))
    const faults = await refusals(() => planModel(folder))
    expect(faults.map(({ code }) => code)).toContain('E_MODEL_LINK')
  })
})

test.each(['unet', 'tokenizer', 'vae_decoder', 'scheduler'])(
  '%s as a link to a folder elsewhere',
  async (name) => {
    const folder = copyModel('sd15-tiny')
    const other = copyModel('sd15-tiny')
    replaceFile(join(folder, name), (path) => symlinkSync(join(other, name), path))
    const codes = (await refusals(() => planModel(folder))).map(({ code }) => code)
    expect(codes).toContain('E_MODEL_LINK')
  },
)

test('links within the folder are followed, and the folder itself may be one', async () => {
  const folder = copyModel('sd15-tiny')
  renameSync(join(folder, 'unet'), join(folder, 'shared'))
  symlinkSync('shared', join(folder, 'unet'))
  const link = join(scratchFolder(), 'model')
  symlinkSync(folder, link)
  expect((await planModel(link)).family).toBe('sd')
})

test('a folder that the sheet names may be under /proc, and nothing is waited for', async () => {
  expect((await refusals(() => planModel('/proc/self'))).map(({ code }) => code)).toContain(
    'E_MODEL_FILE_MISSING',
  )
})

test.each(['/proc/self/pagemap', '/proc/kmsg', '/dev/zero', '/dev/tty'])(
  '%s as the preview decoder that a sheet names',
  async (path) => {
    const facts = await planModel(copyModel('sd15-tiny'), path)
    expect(facts.hasPreviewDecoder).toBe(false)
    expect(facts.previewDecoderFault?.code).toMatch(/^E_MODEL_/)
  },
)

test('a file that is nearly all holes is not hashed for minutes', async () => {
  const folder = copyModel('sd15-tiny')
  const external = { location: 'model.onnx_data', offset: 0, length: 4 }
  writeFileSync(join(folder, 'unet/model.onnx'), onnxModel({ weights: [{ name: 'w', external }] }))
  writeFileSync(join(folder, 'unet/model.onnx_data'), 'data')
  truncateSync(join(folder, 'unet/model.onnx_data'), 2 ** 41)
  const faults = await refusals(() => planModel(folder))
  expect(faults.find(({ location }) => location?.file.endsWith('_data'))?.code).toBe('E_MODEL_TRUNCATED')
})

describe('a tokenizer, a preview.json and a decoder’s config, read by themselves', () => {
  test('do not follow links out of their folder', async () => {
    const folder = copyModel('sd15-tiny')
    const secret = secretFile()
    for (const file of ['tokenizer/merges.txt', 'preview.json', 'preview_decoder/config.json']) {
      replaceFile(join(folder, file), (path) => symlinkSync(secret, path))
    }
    const works = [
      () => createTokenizer(join(folder, 'tokenizer')),
      () => readPreviewJson(folder),
      () => readPreviewDecoderConfig(join(folder, 'preview_decoder')),
    ]
    for (const work of works) {
      const [fault] = await refusals(work)
      expect(fault?.code).toMatch(/^E_(MODEL_LINK|PREVIEW_JSON|PREVIEW_DECODER)$/)
      expect(fault?.message).toMatch(/leads out/)
    }
  })

  test('quote nothing of what they cannot parse', async () => {
    const folder = copyModel('sd15-tiny')
    for (const file of ['tokenizer/vocab.json', 'preview.json', 'preview_decoder/config.json']) {
      replaceFile(join(folder, file), (path) => writeFileSync(path, SECRET))
    }
    const works = [
      () => createTokenizer(join(folder, 'tokenizer')),
      () => readPreviewJson(folder),
      () => readPreviewDecoderConfig(join(folder, 'preview_decoder')),
    ]
    for (const work of works) {
      const [fault] = await refusals(work)
      expect(fault?.message).toMatch(/line 1, column 1/)
      expect(`${fault?.message} ${fault?.cause}`).not.toContain('root:')
    }
  })

  test('are not waited for', async () => {
    const folder = copyModel('sd15-tiny')
    for (const file of ['tokenizer/vocab.json', 'preview.json', 'preview_decoder/config.json']) {
      replaceFile(join(folder, file), makeFifo)
    }
    expect((await refusals(() => createTokenizer(join(folder, 'tokenizer'))))[0]?.code).toBe(
      'E_TOKENIZER_UNREADABLE',
    )
    expect((await refusals(() => readPreviewJson(folder)))[0]?.code).toBe('E_PREVIEW_JSON')
    const decoder = join(folder, 'preview_decoder')
    expect((await refusals(() => readPreviewDecoderConfig(decoder)))[0]?.code).toBe('E_PREVIEW_DECODER')
  })
})

describe('Hugging Face’s cache', () => {
  test('is read as it is', async () => {
    const plain = await planModel(copyModel('sd15-tiny'))
    const facts = await planModel(inHubCache(copyModel('sd15-tiny')))
    expect(facts.fingerprint).toBe(plain.fingerprint)
  })

  test('with weights beside the model', async () => {
    const folder = copyModel('sd15-tiny')
    mkdirSync(join(folder, 'preview_decoder'))
    const weights = [
      { name: 'w', dims: [4], external: { location: 'model.onnx_data', offset: 0, length: 16 } },
    ]
    const dims = [1, 4, 'h', 'w']
    const model = onnxModel({
      weights,
      inputs: [{ name: 'latent_sample', dims }],
      outputs: [{ name: 'sample', dims: [1, 3, 'H', 'W'] }],
    })
    writeFileSync(join(folder, 'preview_decoder/model.onnx'), model)
    writeFileSync(join(folder, 'preview_decoder/model.onnx_data'), Buffer.alloc(16))
    expect((await planModel(inHubCache(folder))).hasPreviewDecoder).toBe(true)
  })

  test('a link to another model’s blobs is refused', async () => {
    const snapshot = inHubCache(copyModel('sd15-tiny'))
    const other = inHubCache(copyModel('sd15-tiny'))
    replaceFile(join(snapshot, 'unet/config.json'), (path) =>
      symlinkSync(join(other, 'unet/config.json'), path),
    )
    expect((await refusals(() => planModel(snapshot))).map(({ code }) => code)).toEqual(['E_MODEL_LINK'])
  })

  test('a folder that calls itself a cache does not open what lies beside it', async () => {
    const snapshot = inHubCache(copyModel('sd15-tiny'))
    const secret = join(snapshot, '../../blobs/passwd')
    writeFileSync(secret, SECRET)
    replaceFile(join(snapshot, 'preview.json'), (path) => symlinkSync(secret, path))
    expect((await refusals(() => planModel(snapshot))).map(({ code }) => code)).toEqual(['E_MODEL_LINK'])
  })
})

test('SHA256SUMS names nothing outside, and no pipe', async () => {
  const folder = copyModel('sd15-tiny')
  const sum = 'a'.repeat(64)
  makeFifo(join(folder, 'pipe'))
  symlinkSync(secretFile(), join(folder, 'out'))
  writeFileSync(join(folder, 'SHA256SUMS'), [`${sum}  pipe`, `${sum}  out`, `${sum}  x/../../y`].join('\n'))
  const codes = (await refusals(() => planModel(folder))).map(({ code }) => code)
  expect(codes).toEqual(['E_MODEL_NOT_A_FILE', 'E_MODEL_LINK', 'E_MODEL_CHECKSUM'])
})

test('a thousand wrong lines come to a few faults and a count', async () => {
  const folder = copyModel('sd15-tiny')
  writeFileSync(join(folder, 'SHA256SUMS'), 'x\n'.repeat(1000))
  const faults = await refusals(() => planModel(folder))
  expect(faults).toHaveLength(21)
  expect(faults.at(-1)?.message).toContain('980 more')
})
