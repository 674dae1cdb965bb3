import { renameSync } from 'node:fs'
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
    help: 'There is model.fp16.onnx beside it: give it the name model.onnx (data files keep theirs).',
  })
})
