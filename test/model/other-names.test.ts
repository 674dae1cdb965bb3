import { cpSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkModelFolder } from '../../src/model/check.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { copyModel, faultsOf } from './fixtures.ts'

test('a missing model.onnx names the .onnx file that lies in its place', async () => {
  const folder = copyModel('sd15-tiny')
  renameSync(join(folder, 'unet/model.onnx'), join(folder, 'unet/model.fp16.onnx'))
  const [fault] = await faultsOf(() => checkModelFolder(readModelFolder(folder)))
  expect(fault).toMatchObject({
    code: 'E_MODEL_FILE_MISSING',
    help: 'There is model.fp16.onnx beside it: set "variant: fp16" for this model in the sheet, or give it the name model.onnx (data files keep theirs).',
  })
})

test.each(['model_fp16.onnx', 'model.fp16.onnx'])(
  'variant: fp16 takes %s where a part has one',
  async (name) => {
    const folder = copyModel('sd15-tiny')
    cpSync(join(folder, 'unet/model.onnx'), join(folder, 'unet', name))
    const model = readModelFolder(folder, { variant: 'fp16' })
    expect(model.components.unet?.modelPath).toBe(join(folder, 'unet', name))
    expect(model.components.vae_decoder?.modelPath).toBe(join(folder, 'vae_decoder/model.onnx'))
    await checkModelFolder(model)
    expect(readModelFolder(folder).components.unet?.modelPath).toBe(join(folder, 'unet/model.onnx'))
  },
)

test('a variant that no part has is a fault that names those that are there', async () => {
  const folder = copyModel('sd15-tiny')
  cpSync(join(folder, 'unet/model.onnx'), join(folder, 'unet/model_q4f16.onnx'))
  const [fault] = await faultsOf(async () => readModelFolder(folder, { variant: 'fp16' }))
  expect(fault).toMatchObject({
    code: 'E_MODEL_NO_VARIANT',
    message: 'No part of the model has a model_fp16.onnx or a model.fp16.onnx.',
    help: 'It has q4f16.',
  })
})
