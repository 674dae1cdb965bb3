/** Every way into a model folder takes the variant that a sheet's `models.<id>.variant` takes. */
import { execFile } from 'node:child_process'
import { copyFile, cp, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { fixShapes } from '../model/fix-shapes.ts'
import { packageRoot, runCli } from '../support/cli.ts'
import { TINY_SD15 } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const { folder } = createScratch()
const model = join(folder, 'model')
const env = { XDG_CACHE_HOME: join(folder, 'cache') }

beforeAll(async () => {
  await cp(TINY_SD15.path, model, { recursive: true })
  await rename(join(model, 'unet/model.onnx'), join(model, 'unet/model_fp16.onnx'))
})

const preview = ['--out', join(folder, 'preview.json'), '--pictures', '2', '--steps', '1']

test.each([
  ['inspect', []],
  ['optimize', ['--provider', 'cpu']],
  ['calibrate', [...preview, '--provider', 'cpu']],
])('pregen models %s', async (command, options) => {
  const plain = await runCli(['models', command, model, ...options], { env })
  expect([plain.code, plain.stdout]).toEqual([2, ''])
  expect(plain.stderr).toContain('There is model_fp16.onnx beside it')
  expect(plain.stderr).toContain('--variant fp16')
  const picked = await runCli(['models', command, model, '--variant', 'fp16', ...options], { env })
  expect(picked.code, picked.stderr).toBe(0)
  const other = await runCli(['models', command, model, '--variant', 'int8', ...options], { env })
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('has a variant "int8"')])
})

test('openModel of the library, which keeps to sizes that are built in', { timeout: 60_000 }, async () => {
  const fixed = join(model, 'unet/model.64.onnx')
  await copyFile(join(model, 'unet/model_fp16.onnx'), fixed)
  fixShapes(fixed, { sample: [2, 4, 8, 8], out_sample: [2, 4, 8, 8] })
  const program = `
    import { openModel } from ${JSON.stringify(join(packageRoot, 'dist/index.js'))}
    const sizes = []
    for (const variant of ['fp16', '64']) {
      const model = await openModel(${JSON.stringify(model)}, { variant, provider: 'cpu' })
      const drawn = await model.draw({ prompt: 'a fox', width: 64, height: 64, steps: 1 })
      sizes.push(drawn.pixels.length)
      if (variant === '64') await model.draw({ prompt: 'a fox', width: 128, steps: 1 }).catch((error) => sizes.push(error.code))
      await model.close()
    }
    await openModel(${JSON.stringify(model)}).catch((error) => sizes.push(error.code))
    console.log(JSON.stringify(sizes))`
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, ...env },
  })
  const size = 3 * 64 * 64
  expect(JSON.parse((await run).stdout)).toEqual([size, size, 'E_FIXED_SHAPE', 'E_MODEL_FILE_MISSING'])
})
