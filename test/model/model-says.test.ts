/** What is taken from a model itself, or refused, where its files are silent or disagree. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkModelFolder } from '../../src/model/check.ts'
import { folderSchedulerConfig, readModelFolder } from '../../src/model/folder.ts'
import { hiddenLayers } from '../../src/model/hidden-layers.ts'
import { copyModel } from './fixtures.ts'
import { editConfig, planModel, refusals } from './hostile.ts'

test('model_index.json says which scheduler class runs, with the keys of scheduler_config.json', async () => {
  const path = copyModel('sd15-tiny')
  editConfig(path, 'scheduler/scheduler_config.json', { _class_name: 'EulerDiscreteScheduler' })
  const facts = await planModel(path)
  expect(facts.schedulerClass).toBe('PNDMScheduler')
  expect(facts.schedulerConfig).toMatchObject({ _class_name: 'PNDMScheduler', beta_start: 0.00085 })
  expect(folderSchedulerConfig(readModelFolder(path))._class_name).toBe('PNDMScheduler')
})

test('scheduler_config.json counts where the index names none', async () => {
  const path = copyModel('sd15-tiny')
  editConfig(path, 'model_index.json', { scheduler: [null, null] })
  expect((await planModel(path)).schedulerClass).toBe('PNDMScheduler')
})

test.each(['sdxl-tiny', 'sd3-tiny'])('%s: a VAE without any config is refused', async (name) => {
  const path = copyModel(name)
  rmSync(join(path, 'vae_decoder/config.json'))
  expect((await planModel(path)).family).toBe(name.slice(0, -5))
  rmSync(join(path, 'vae_encoder/config.json'))
  const [fault] = await refusals(() => planModel(path))
  expect(fault).toMatchObject({
    code: 'E_MODEL_FILE_MISSING',
    location: { file: join(path, 'vae_decoder/config.json') },
  })
})

test('a text encoder without a config tells its layers by its hidden states', async () => {
  const names = Array.from({ length: 33 }, (_, i) => `hidden_states.${i}`)
  expect(hiddenLayers({}, ['last_hidden_state', ...names])).toBe(32)
  expect(hiddenLayers({ num_hidden_layers: 12 }, names)).toBe(12)
  expect(hiddenLayers({}, ['last_hidden_state'])).toBeNull()
  const path = copyModel('sdxl-tiny')
  for (const encoder of ['text_encoder', 'text_encoder_2']) rmSync(join(path, encoder, 'config.json'))
  await expect(checkModelFolder(readModelFolder(path))).resolves.toHaveLength(5)
})

test('the one output of a denoiser may have any name', async () => {
  const path = copyModel('sd3-tiny')
  const file = join(path, 'transformer/model.onnx')
  const bytes = readFileSync(file)
  for (let at = bytes.indexOf('out_hidden_states'); at >= 0; at = bytes.indexOf('out_hidden_states', at)) {
    bytes.write('out_sample_olives', at)
  }
  writeFileSync(file, bytes)
  await expect(checkModelFolder(readModelFolder(path))).resolves.toHaveLength(6)
})
