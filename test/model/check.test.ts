import { createHash } from 'node:crypto'
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkModelFolder } from '../../src/model/check.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import type { ProviderName } from '../../src/model/providers.ts'
import { copyModel, faultsOf } from './fixtures.ts'
import { ELEMENT, type ModelSpec, onnxModel, type TensorSpec } from './onnx-builder.ts'

const LFS_POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 3438167540\n'

/** A UNet with the right names, whatever else is wrong with it. */
const UNET: ModelSpec = {
  inputs: [
    { name: 'sample', dims: ['batch', 4, 'h', 'w'] },
    { name: 'timestep' },
    { name: 'encoder_hidden_states', dims: ['batch', 'tokens', 32] },
  ],
  outputs: [{ name: 'out_sample', dims: ['batch', 4, 'h', 'w'] }],
}

function check(folder: string, provider: ProviderName = 'cpu') {
  return checkModelFolder(readModelFolder(folder), { provider })
}

const SD15 = ['text_encoder', 'unet', 'vae_decoder', 'vae_encoder']

/** The components of a folder without a fault. */
async function namesOf(folder: string, provider?: ProviderName): Promise<readonly string[]> {
  return (await check(folder, provider)).map(({ name }) => name).sort()
}

async function codesOf(folder: string, provider?: ProviderName): Promise<readonly string[]> {
  return (await faultsOf(() => check(folder, provider))).map(({ code }) => code)
}

function withUnet(spec: ModelSpec): string {
  const folder = copyModel('sd15-tiny')
  writeFileSync(join(folder, 'unet/model.onnx'), onnxModel(spec))
  return folder
}

test.each(['sd15-tiny', 'sdxl-tiny', 'sd3-tiny', 'lcm-tiny'])('%s has no fault', async (model) => {
  const components = await check(copyModel(model))
  expect(components.map(({ name }) => name)).toContain('vae_decoder')
})

describe('files that only stand in for the real ones', () => {
  test.each([
    ['a Git LFS pointer', LFS_POINTER, 'E_MODEL_LFS_POINTER', /git lfs pull/],
    ['a web page', '<!DOCTYPE html><html><title>Sign in</title></html>', 'E_MODEL_HTML', /licence/],
    ['nothing', '', 'E_MODEL_TRUNCATED', /again/],
    ['noise', 'once upon a time there was no model', 'E_MODEL_NOT_ONNX', /again/],
  ])('%s', async (_, content, code, help) => {
    const folder = copyModel('sd15-tiny')
    const file = join(folder, 'unet/model.onnx')
    writeFileSync(file, content)
    const [fault, ...others] = await faultsOf(() => check(folder))
    expect(others).toEqual([])
    expect(fault).toMatchObject({ code, location: { file } })
    expect(fault!.help).toMatch(help)
  })

  test('a model that is cut off', async () => {
    const folder = copyModel('sd15-tiny')
    truncateSync(join(folder, 'unet/model.onnx'), 400_000)
    expect(await codesOf(folder)).toEqual(['E_MODEL_TRUNCATED'])
  })

  test('a tokenizer that is a pointer', async () => {
    const folder = copyModel('sd15-tiny')
    writeFileSync(join(folder, 'tokenizer/merges.txt'), LFS_POINTER)
    expect(await codesOf(folder)).toEqual(['E_MODEL_LFS_POINTER'])
  })
})

describe('parts that are not there', () => {
  test('a component, a file and a tokenizer are all named at once', async () => {
    const folder = copyModel('sd15-tiny')
    rmSync(join(folder, 'vae_decoder'), { recursive: true })
    rmSync(join(folder, 'unet/model.onnx'))
    rmSync(join(folder, 'tokenizer/merges.txt'))
    expect([...(await codesOf(folder))].sort()).toEqual([
      'E_MODEL_COMPONENT_MISSING',
      'E_MODEL_FILE_MISSING',
      'E_MODEL_TOKENIZER_MISSING',
    ])
  })

  test('a VAE encoder may be absent', async () => {
    const folder = copyModel('sd15-tiny')
    rmSync(join(folder, 'vae_encoder'), { recursive: true })
    expect(await namesOf(folder)).toEqual(SD15.filter((name) => name !== 'vae_encoder'))
  })

  test('T5 may be absent where model_index.json says so, and only there', async () => {
    const folder = copyModel('sd3-tiny')
    rmSync(join(folder, 'text_encoder_3'), { recursive: true })
    expect(await codesOf(folder)).toEqual(['E_MODEL_COMPONENT_MISSING'])
    const index = join(folder, 'model_index.json')
    const content = JSON.parse(readFileSync(index, 'utf8'))
    writeFileSync(index, JSON.stringify({ ...content, text_encoder_3: [null, null] }))
    expect(await namesOf(folder)).toEqual([
      ...['text_encoder', 'text_encoder_2', 'transformer', 'vae_decoder', 'vae_encoder'],
    ])
  })
})

describe('external data', () => {
  const withData = (external: NonNullable<TensorSpec['external']>): string =>
    withUnet({ ...UNET, weights: [{ name: 'w', external }] })
  const data = (folder: string) => join(folder, 'unet/model.onnx_data')

  test('in its place it is no fault', async () => {
    const folder = withData({ location: 'model.onnx_data', offset: 16, length: 16 })
    writeFileSync(data(folder), Buffer.alloc(32))
    expect(await namesOf(folder)).toEqual(SD15)
  })

  test('missing', async () => {
    expect(await codesOf(withData({ location: 'model.onnx_data' }))).toEqual(['E_MODEL_DATA_MISSING'])
  })

  test.each(['../secrets', '/etc/passwd', 'a/../../b', 'C:\\weights', '..\\weights', ''])(
    'outside: "%s"',
    async (location) => {
      expect(await codesOf(withData({ location }))).toEqual(['E_MODEL_DATA_PATH'])
    },
  )

  test('a symbolic link', async () => {
    const folder = withData({ location: 'model.onnx_data', length: 4 })
    writeFileSync(join(folder, 'elsewhere'), Buffer.alloc(64))
    symlinkSync(join(folder, 'elsewhere'), data(folder))
    expect(await codesOf(folder)).toEqual(['E_MODEL_DATA_LINK'])
  })

  test.each([
    { offset: 16, length: 17 },
    { offset: 33, length: 0 },
    { offset: -1, length: 4 },
    { offset: 2 ** 53, length: 2 ** 53 },
  ])('past the end: $offset + $length of 32', async ({ offset, length }) => {
    const folder = withData({ location: 'model.onnx_data', offset, length })
    writeFileSync(data(folder), Buffer.alloc(32))
    expect(await codesOf(folder)).toEqual(['E_MODEL_DATA_RANGE'])
  })
})

describe('models that cannot run', () => {
  test('an opset or IR version that is too new', async () => {
    expect(await codesOf(withUnet({ ...UNET, opset: 27 }))).toEqual(['E_MODEL_OPSET'])
    expect(await codesOf(withUnet({ ...UNET, irVersion: 14 }))).toEqual(['E_MODEL_OPSET'])
    expect(await namesOf(withUnet({ ...UNET, opset: 26, irVersion: 13 }))).toEqual(SD15)
  })

  test('missing and unknown inputs and outputs are listed', async () => {
    const folder = withUnet({
      ...UNET,
      inputs: [...UNET.inputs!.slice(0, 2), { name: 'text_embeds' }],
      outputs: [],
    })
    const [fault] = await faultsOf(() => check(folder))
    expect(fault!.code).toBe('E_MODEL_INTERFACE')
    expect(fault!.message).toBe(
      'unet lacks input encoder_hidden_states, output out_sample and wants input text_embeds, which nothing feeds.',
    )
    expect(fault!.help).toContain('inputs sample, timestep, text_embeds')
  })

  test('texts and latents of another width', async () => {
    const inputs = [
      { name: 'sample', dims: ['batch', 16, 'h', 'w'] },
      { name: 'timestep' },
      { name: 'encoder_hidden_states', dims: ['batch', 'tokens', 768] },
    ]
    const messages = (await faultsOf(() => check(withUnet({ ...UNET, inputs })))).map(
      ({ message }) => message,
    )
    expect(messages).toEqual([
      'unet takes texts of 768 channels; text_encoder gives 32.',
      'unet takes latents of 16 channels; vae_decoder gives 4.',
    ])
  })

  test('an encoder of another model', async () => {
    const folder = copyModel('sdxl-tiny')
    rmSync(join(folder, 'text_encoder_2'), { recursive: true })
    renameSync(join(copyModel('sd3-tiny'), 'text_encoder_2'), join(folder, 'text_encoder_2'))
    expect(await codesOf(folder)).toEqual(['E_MODEL_SHAPES', 'E_MODEL_SHAPES'])
  })

  test('bfloat16 does not run on the CPU, and never crosses into JavaScript', async () => {
    const folder = withUnet({ ...UNET, weights: [{ name: 'w', type: ELEMENT.bfloat16 }] })
    expect(await codesOf(folder, 'cpu')).toEqual(['E_MODEL_DTYPE'])
    expect(await namesOf(folder, 'cuda')).toEqual(SD15)
    const inputs = UNET.inputs!.map((input) => ({ ...input, type: ELEMENT.bfloat16 }))
    expect(await codesOf(withUnet({ ...UNET, inputs }), 'cuda')).toEqual(Array(3).fill('E_MODEL_DTYPE'))
  })
})

test('SHA256SUMS is held to, line by line', async () => {
  const folder = copyModel('sd15-tiny')
  const sum = createHash('sha256')
    .update(readFileSync(join(folder, 'unet/model.onnx')))
    .digest('hex')
  const file = join(folder, 'SHA256SUMS')
  writeFileSync(file, `${sum}  unet/model.onnx\n`)
  expect(await namesOf(folder)).toEqual(SD15)
  writeFileSync(
    file,
    `${sum}  unet/model.onnx\n${sum}  model_index.json\n${sum}  absent\n${sum}  ../x\nwhat\n`,
  )
  const faults = await faultsOf(() => check(folder))
  expect(faults.map(({ code, location }) => [code, location?.line])).toEqual(
    [2, 3, 4, 5].map((line) => ['E_MODEL_CHECKSUM', line]),
  )
})

test('a folder in place of model.onnx is a missing file', async () => {
  const folder = copyModel('sd15-tiny')
  rmSync(join(folder, 'unet/model.onnx'))
  mkdirSync(join(folder, 'unet/model.onnx'))
  expect(await codesOf(folder)).toEqual(['E_MODEL_FILE_MISSING'])
})
