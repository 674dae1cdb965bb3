/** What a hostile folder claims: sizes, depths, lengths and counts, in configs and in graphs. */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createScheduler } from '../../src/diffusion/create-scheduler.ts'
import { readOnnxHeader } from '../../src/model/onnx-header.ts'
import { createModelSession, createRunMeter } from '../../src/model/session.ts'
import { scratchFolder } from '../support/scratch.ts'
import { copyModel } from './fixtures.ts'
import { editConfig, inHubCache, planModel, refusals } from './hostile.ts'
import { ELEMENT, type ModelSpec, onnxModel } from './onnx-builder.ts'

describe('sizes that a config names', () => {
  const bad: readonly unknown[] = [5_000_000, 0, -4, 4.5, 1e308, '4', 'NaN', 'Infinity', [4], {}, true]
  const KEYS = [
    ['vae_decoder', 'latent_channels'],
    ['unet', 'in_channels'],
    ['unet', 'cross_attention_dim'],
    ['text_encoder', 'num_hidden_layers'],
    ['text_encoder', 'hidden_size'],
    ['text_encoder', 'projection_dim'],
  ] as const

  test.each(KEYS)('%s: %s', async (component, key) => {
    for (const value of bad) {
      if (key === 'cross_attention_dim' && Array.isArray(value)) continue
      const folder = copyModel('sd15-tiny')
      editConfig(folder, `${component}/config.json`, { [key]: value })
      const faults = await refusals(() => planModel(folder))
      expect([value, faults[0]?.code, faults[0]?.location?.file]).toEqual([
        value,
        'E_MODEL_CONFIG',
        join(folder, component, 'config.json'),
      ])
    }
  })

  test.each([
    ['unet', { block_out_channels: Array(41).fill(8) }],
    ['vae_decoder', { block_out_channels: Array(41).fill(8) }],
    ['vae_decoder', { block_out_channels: [] }],
    ['vae_decoder', { block_out_channels: [1, 2.5] }],
    ['vae_decoder', { scaling_factor: 0 }],
    ['vae_decoder', { scaling_factor: 'NaN' }],
    ['vae_decoder', { shift_factor: 1e300 }],
    ['vae_decoder', { latents_mean: [0, 0], latents_std: [1, 1] }],
    ['vae_decoder', { latents_mean: [0, 0, 0, 0], latents_std: [1, 1, 1, 0] }],
    ['unet', { sample_size: 1_000_000 }],
    ['unet', { sample_size: [64, 0.5] }],
    ['unet', { sample_size: Array(100_000).fill(8) }],
  ])('%s: %j', async (component, edit) => {
    const folder = copyModel('sd15-tiny')
    editConfig(folder, `${component}/config.json`, edit)
    const faults = await refusals(() => planModel(folder))
    expect(faults[0]).toMatchObject({ code: 'E_MODEL_CONFIG' })
    expect(faults[0]!.message.length).toBeLessThan(200)
  })

  test('that differ from the graph’s own', async () => {
    const folder = copyModel('sd15-tiny')
    editConfig(folder, 'vae_decoder/config.json', { latent_channels: 128 })
    const [fault] = await refusals(() => planModel(folder))
    expect(fault).toMatchObject({ code: 'E_MODEL_SHAPES' })
    expect(fault!.message).toMatch(
      /vae_decoder has 4 channels in latent_sample; the folder's configs come to 128/,
    )
  })

  test.each([
    { num_train_timesteps: 1e12 },
    { num_train_timesteps: 1000.5 },
    { num_train_timesteps: 'Infinity' },
    { steps_offset: 1e15 },
    { beta_start: 'NaN' },
    { trained_betas: Array(50_000).fill(0.1) },
    { sigma_max: 1e300 },
  ])('a schedule of %j', async (edit) => {
    const config = { _class_name: 'EulerDiscreteScheduler', ...edit }
    const [fault] = await refusals(() => createScheduler(undefined, config))
    expect(fault!.code).toMatch(/^E_SCHEDULER_(VALUE|CONFLICT)$/)
    expect(fault!.message.length).toBeLessThan(200)
  })

  test.each([
    { shift: 'NaN' },
    { shift: 'Infinity' },
    { shift: 1e300 },
    { shift: -1 },
    { max_shift: 1e9 },
    { base_image_seq_len: 0.5 },
  ])('a flow of %j', async (edit) => {
    const config = { _class_name: 'FlowMatchEulerDiscreteScheduler', ...edit }
    expect((await refusals(() => createScheduler(undefined, config)))[0]?.code).toBe('E_SCHEDULER_VALUE')
  })
})

describe('JSON bombs', () => {
  test.each([
    ['nested', `{"a": ${'['.repeat(100_000)}`, 'E_MODEL_CONFIG'],
    ['of a million values', `{"a": [${'0,'.repeat(1_000_000)}0]}`, 'E_MODEL_CONFIG'],
    ['quotes without end', '"\\"'.repeat(1_000_000), 'E_MODEL_CONFIG'],
    ['a reserved key', '{"__proto__": {"sample_size": 8}}', 'E_MODEL_CONFIG'],
    ['a list', '[1]', 'E_MODEL_CONFIG'],
  ])('%s', async (_, text, code) => {
    for (const file of ['model_index.json', 'unet/config.json', 'scheduler/scheduler_config.json']) {
      const folder = copyModel('sd15-tiny')
      writeFileSync(join(folder, file), text)
      expect((await refusals(() => planModel(folder))).map((fault) => fault.code)).toContain(code)
    }
  })

  test('of 100 MB', async () => {
    const folder = copyModel('sd15-tiny')
    truncateSync(join(folder, 'unet/config.json'), 1e8)
    expect((await refusals(() => planModel(folder)))[0]?.code).toBe('E_MODEL_TOO_LARGE')
  })

  test('the last of two equal keys counts, as in Python', async () => {
    const folder = copyModel('sd15-tiny')
    const path = join(folder, 'unet/config.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('{', '{"sample_size": 100000,'))
    expect((await planModel(folder)).defaults.width).toBe(64)
  })
})

describe('headers', () => {
  const withUnet = (spec: ModelSpec | Uint8Array): string => {
    const folder = copyModel('sd15-tiny')
    writeFileSync(join(folder, 'unet/model.onnx'), spec instanceof Uint8Array ? spec : onnxModel(spec))
    return folder
  }
  const codesOf = async (folder: string) => (await refusals(() => planModel(folder))).map(({ code }) => code)

  test.each([
    ['a dimension of 2^53', { inputs: [{ name: 'sample', dims: [2 ** 53] }] }],
    ['a hundred dimensions', { inputs: [{ name: 'sample', dims: Array(100).fill(1) }] }],
    ['a name of a megabyte', { inputs: [{ name: 'x'.repeat(1e6) }] }],
    ['twenty thousand inputs', { inputs: Array.from({ length: 20_000 }, (_, i) => ({ name: `i${i}` })) }],
  ])('%s', async (_, spec) => {
    expect(await codesOf(withUnet(spec))).toEqual(['E_MODEL_NOT_ONNX'])
  })

  test('parts without number', async () => {
    const head = Buffer.from(onnxModel({}))
    const bomb = Buffer.concat([head, Buffer.alloc(5_000_000).map((_, i) => (i % 2 === 0 ? 0x18 : 1))])
    expect(await codesOf(withUnet(bomb))).toEqual(['E_MODEL_NOT_ONNX'])
  })

  test.each(['12e3', ' 1', '0x10', '', '-1', '99999999999999999999'])('data at "%s"', async (offset) => {
    const external: { location: string; offset: number } = { location: 'd', offset: 0 }
    const folder = withUnet({ weights: [{ name: 'w', external: { ...external, offset: offset as never } }] })
    writeFileSync(join(folder, 'unet/d'), Buffer.alloc(64))
    expect(await codesOf(folder)).toContain('E_MODEL_DATA_RANGE')
  })

  test('thousands of lost data files come to a few faults and a count', async () => {
    const weights = Array.from({ length: 3000 }, (_, i) => ({
      name: `w${i}`,
      external: { location: `${i}` },
    }))
    const faults = await refusals(() => planModel(withUnet({ weights })))
    expect(faults.filter(({ code }) => code === 'E_MODEL_DATA_MISSING')).toHaveLength(21)
  })

  test('long names are cut in messages', async () => {
    const inputs = Array.from({ length: 500 }, (_, i) => ({ name: `${'n'.repeat(10_000)}${i}` }))
    const faults = await refusals(() => planModel(withUnet({ inputs })))
    expect(
      faults.map(({ message, help = '' }) => message.length + help.length).reduce((a, b) => Math.max(a, b)),
    ).toBeLessThan(10_000)
  })
})

test('a file that is no part of the pipeline and half written is named', async () => {
  const folder = copyModel('sd15-tiny')
  mkdirSync(join(folder, 'text_encoder_2'))
  const file = join(folder, 'text_encoder_2/model.onnx')
  writeFileSync(file, readFileSync(join(folder, 'text_encoder/model.onnx')).subarray(0, 20_000))
  const [fault] = await refusals(() => planModel(folder))
  expect(fault).toMatchObject({ code: 'E_MODEL_TRUNCATED', location: { file } })
})

describe('sessions', () => {
  const options = {
    provider: { name: 'cpu', deviceId: 0, reason: 'test' } as const,
    meter: createRunMeter(),
    label: 'unet',
  }
  const dims = ['n', 4]

  function written(spec: ModelSpec): string {
    const path = join(scratchFolder(), 'model.onnx')
    writeFileSync(path, onnxModel(spec))
    return path
  }

  test('give nothing of another shape than was planned', async () => {
    const path = written({
      inputs: [{ name: 'x', dims }],
      outputs: [{ name: 'y', dims }],
      nodes: [['Abs', ['x'], ['y']]],
    })
    const session = await createModelSession(path, options)
    const input = session.createInput('x', [3, 4])
    expect((await session.run([input], ['y'], { y: [3, 4] })).y.dims).toEqual([3, 4])
    expect((await session.run([input], ['y'], { y: [null, 4] })).y.dims).toEqual([3, 4])
    for (const y of [[3, 5], [2, 4], [3, 4, 1], [12]]) {
      await expect(session.run([input], ['y'], { y })).rejects.toMatchObject({ code: 'E_OUTPUT_SHAPE' })
    }
    await session.dispose()
  })

  test('run models of Hugging Face’s cache, with weights beside them', async () => {
    const folder = join(scratchFolder(), 'model')
    mkdirSync(join(folder, 'unet'), { recursive: true })
    const external = { location: 'model.onnx_data', offset: 0, length: 16 }
    const model = onnxModel({
      inputs: [{ name: 'x', dims: [4] }],
      outputs: [{ name: 'y', dims: [4] }],
      weights: [{ name: 'w', type: ELEMENT.float32, dims: [4], external }],
      nodes: [['Add', ['x', 'w'], ['y']]],
    })
    writeFileSync(join(folder, 'unet/model.onnx'), model)
    writeFileSync(join(folder, 'unet/model.onnx_data'), new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer))
    const path = join(inHubCache(folder), 'unet/model.onnx')
    expect(readOnnxHeader(path).externalData).toHaveLength(1)
    const session = await createModelSession(path, options)
    const { y } = await session.run([session.createInput('x', [4])], ['y'])
    expect([...y.data]).toEqual([1, 2, 3, 4])
    await session.dispose()
  })
})
