/** Model folders that a sheet gets wrong, or that are half there, as `plan` tells them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { copyModel } from '../model/fixtures.ts'
import { runCli } from '../support/cli.ts'
import { TINY_SD15, tinySheet, writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

/** A sheet on a copy of the tiny model with a preview decoder that was half downloaded. */
async function withTornDecoder(method: string) {
  const folder = await temporaryFolder()
  const model = copyModel('sd15-tiny')
  mkdirSync(join(model, 'preview_decoder'))
  const whole = readFileSync(join(TINY_SD15.preview_decoder, 'model.onnx'))
  const decoder = join(model, 'preview_decoder/model.onnx')
  writeFileSync(decoder, whole.subarray(0, whole.length >> 1))
  const cues = { a: { program: 'P1', prompt: 'x', variants: { one: {}, two: {} }, previews: { method } } }
  const sheet = await writeSheet(folder, tinySheet({ models: { tiny: model }, programs: { P1: {} }, cues }))
  return { folder, sheet, decoder }
}

it('a torn preview decoder costs its previews, with a warning', async () => {
  const { folder, sheet, decoder } = await withTornDecoder('auto')
  const { code, stdout } = await runCli(['plan', sheet, '--out', join(folder, 'out'), '--json'])
  const report = JSON.parse(stdout)
  expect(code).toBe(0)
  expect(report.units.map((unit: { previews: string }) => unit.previews)).toEqual([
    'latent2rgb',
    'latent2rgb',
  ])
  expect(report.warnings).toEqual([{ code: 'W_PREVIEW_DECODER', message: expect.stringContaining(decoder) }])
})

it('asked for by name, it is refused with its file', async () => {
  const { folder, sheet, decoder } = await withTornDecoder('taesd')
  const { code, stderr } = await runCli(['plan', sheet, '--out', join(folder, 'out')])
  expect(code).toBe(2)
  expect(stderr).toContain('E_MODEL_TRUNCATED')
  expect(stderr).toContain(decoder)
  expect(stderr).not.toContain('E_BUG')
})

it('a model folder that is not there is told at its place in the sheet', async () => {
  const folder = await temporaryFolder()
  const sheet = join(folder, 'sheet.yaml')
  writeFileSync(
    sheet,
    'version: v\nmodels:\n  gone: { path: ./nowhere }\nprograms: { P0: {} }\ncues:\n  a: { program: P0, model: gone, prompt: x, variants: { b: {} } }\n',
  )
  const { code, stderr } = await runCli(['plan', sheet, '--out', join(folder, 'out')])
  expect(code).toBe(2)
  expect(stderr).toContain(`${sheet}:3:17  E_MODEL_MISSING`)
  expect(stderr).toContain(join(folder, 'nowhere'))
})

it('two files that name different schedulers are a warning', async () => {
  const folder = await temporaryFolder()
  const model = copyModel('sd15-tiny')
  const file = join(model, 'scheduler/scheduler_config.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('PNDMScheduler', 'EulerDiscreteScheduler'))
  const cues = { a: { program: 'P0', prompt: 'x', variants: { one: {} } } }
  const sheet = await writeSheet(folder, tinySheet({ models: { tiny: model }, programs: { P0: {} }, cues }))
  const { stdout } = await runCli(['plan', sheet, '--out', join(folder, 'out'), '--json'])
  const report = JSON.parse(stdout)
  expect(report.units[0].scheduler).toBe('PNDMScheduler')
  expect(report.warnings).toMatchObject([{ code: 'W_SCHEDULER_CLASS' }])
})
