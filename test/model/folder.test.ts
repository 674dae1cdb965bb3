import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readModelFolder } from '../../src/model/folder.ts'
import { copyModel, faultsOf, MODELS } from './fixtures.ts'

function withIndex(className: unknown): string {
  const folder = copyModel('sd15-tiny')
  writeFileSync(join(folder, 'model_index.json'), JSON.stringify({ _class_name: className }))
  return folder
}

test.each([
  ['StableDiffusionPipeline', 'sd'],
  ['StableDiffusionImg2ImgPipeline', 'sd'],
  ['ORTStableDiffusionPipeline', 'sd'],
  ['OnnxStableDiffusionPipeline', 'sd'],
  ['StableDiffusionXLPipeline', 'sdxl'],
  ['ORTStableDiffusionXLImg2ImgPipeline', 'sdxl'],
  ['StableDiffusion3Img2ImgPipeline', 'sd3'],
  ['LatentConsistencyModelPipeline', 'lcm'],
  ['LatentConsistencyModelImg2ImgPipeline', 'lcm'],
  ['ORTFluxPipeline', 'flux'],
])('%s is of the family %s', (className, family) => {
  expect(readModelFolder(withIndex(className)).family).toBe(family)
})

test('the sheet’s pipeline wins over model_index.json', () => {
  expect(readModelFolder(withIndex('Unheard'), { pipeline: 'lcm' }).family).toBe('lcm')
  expect(readModelFolder(withIndex('FluxPipeline'), { pipeline: 'StableDiffusionPipeline' }).family).toBe(
    'sd',
  )
})

test('an unknown pipeline is answered with the nearest name', async () => {
  const [fault] = await faultsOf(() => readModelFolder(withIndex('StableDiffusoinXLPipeline')))
  expect(fault!.code).toBe('E_UNKNOWN_PIPELINE')
  expect(fault!.help).toContain('Did you mean "StableDiffusionXLPipeline"?')
  for (const name of ['SanaPipeline', 'Flux2Pipeline']) {
    const [another] = await faultsOf(() => readModelFolder(withIndex(name)))
    expect(another!.message).toBe(`${name} is not of a family that pregen draws.`)
    expect(another!.help).toMatch(/^These are: Stable Diffusion.*, Z-Image, Qwen-Image/)
  }
  const [other] = await faultsOf(() => readModelFolder(withIndex(undefined)))
  expect(other!.message).toBe('model_index.json has no "_class_name", so the pipeline is unknown.')
})

test('what the folder holds is listed by absolute path', () => {
  const folder = readModelFolder(join(MODELS, 'sd3-tiny'))
  expect(Object.keys(folder.components).sort()).toEqual([
    'text_encoder',
    'text_encoder_2',
    'text_encoder_3',
    'transformer',
    'vae_decoder',
    'vae_encoder',
  ])
  expect(folder.components.transformer?.modelPath).toBe(join(MODELS, 'sd3-tiny/transformer/model.onnx'))
  expect(folder.vae).toEqual({
    scale: 8,
    latentChannels: 16,
    scalingFactor: 1.5305,
    shiftFactor: 0.0609,
    latentsMean: null,
    latentsStd: null,
  })
  expect(folder.schedulerClass).toBe('FlowMatchEulerDiscreteScheduler')
  expect(structuredClone(folder)).toEqual(folder)
})

test('a VAE without a config counts as Stable Diffusion 1’s', () => {
  const folder = copyModel('sd15-tiny')
  rmSync(join(folder, 'vae_decoder/config.json'))
  rmSync(join(folder, 'vae_encoder/config.json'))
  expect(readModelFolder(folder).vae).toMatchObject({ scale: 8, latentChannels: 4, scalingFactor: 0.18215 })
})

test('every fault of the JSON files is reported at once', async () => {
  const folder = copyModel('sd15-tiny')
  writeFileSync(join(folder, 'unet/config.json'), '{"sample_size": ')
  writeFileSync(join(folder, 'vae_decoder/config.json'), 'version https://git-lfs.github.com/spec/v1\n')
  rmSync(join(folder, 'scheduler/scheduler_config.json'))
  rmSync(join(folder, 'model_index.json'))
  const faults = await faultsOf(() => readModelFolder(folder))
  expect(faults.map(({ code }) => code).sort()).toEqual([
    'E_MODEL_CONFIG',
    'E_MODEL_FILE_MISSING',
    'E_MODEL_FILE_MISSING',
    'E_MODEL_LFS_POINTER',
  ])
})

test('a folder that is missing, and one that is a file', async () => {
  const [missing] = await faultsOf(() => readModelFolder('/nowhere/at/all'))
  expect(missing).toMatchObject({ code: 'E_MODEL_MISSING', location: { file: '/nowhere/at/all' } })
  const [file] = await faultsOf(() => readModelFolder(join(MODELS, 'sd15-tiny/model_index.json')))
  expect(file!.code).toBe('E_MODEL_NOT_A_FOLDER')
})

test('a preview decoder is found in the folder, or where the sheet says', async () => {
  const folder = copyModel('sd15-tiny')
  expect(readModelFolder(folder).previewDecoder).toBeNull()
  mkdirSync(join(folder, 'preview_decoder'))
  const file = join(folder, 'preview_decoder/model.onnx')
  writeFileSync(file, '')
  expect(readModelFolder(folder).previewDecoder).toBe(file)
  expect(readModelFolder(folder, { previewDecoder: join(folder, 'preview_decoder') }).previewDecoder).toBe(
    file,
  )
  const [fault] = await faultsOf(() => readModelFolder(folder, { previewDecoder: 'nope.onnx' }))
  expect(fault!.code).toBe('E_MODEL_MISSING')
})
