import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkModelFolder } from '../../src/model/check.ts'
import { modelFacts } from '../../src/model/facts.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { copyModel, faultsOf } from './fixtures.ts'

test('a missing model.onnx names the .onnx file that lies in its place', async () => {
  const folder = copyModel('sd15-tiny')
  renameSync(join(folder, 'unet/model.onnx'), join(folder, 'unet/model.fp16.onnx'))
  const [fault] = await faultsOf(() => checkModelFolder(readModelFolder(folder)))
  expect(fault).toMatchObject({
    code: 'E_MODEL_FILE_MISSING',
    help: 'There is model.fp16.onnx beside it: pick it with variant: fp16 under "models" in the sheet (--variant fp16 of commands), or give it the name model.onnx (data files keep theirs).',
  })
})

test.each(['model.fp16.onnx', 'model_fp16.onnx'])(
  'variant: fp16 takes %s where a component has it',
  async (name) => {
    const folder = copyModel('sd15-tiny')
    const plain = await modelFacts(readModelFolder(folder))
    renameSync(join(folder, 'unet/model.onnx'), join(folder, 'unet', name))
    const read = readModelFolder(folder, { variant: 'fp16' })
    await checkModelFolder(read)
    expect(read.components.unet?.modelPath).toBe(join(folder, 'unet', name))
    expect(read.components.vae_decoder?.modelPath).toBe(join(folder, 'vae_decoder/model.onnx'))
    expect((await modelFacts(read)).fingerprint).not.toBe(plain.fingerprint)
  },
)

test('a variant that no component has is a fault that names those that are there', async () => {
  const [fault] = await faultsOf(() => readModelFolder(copyModel('sd15-tiny'), { variant: 'int8' }))
  expect(fault).toMatchObject({
    code: 'E_MODEL_FILE_MISSING',
    message: 'No component of this model has a variant "int8".',
    help: 'Its models are named model.onnx.',
  })
})
