import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { plan } from '../../src/library/render.ts'
import { temporaryFolder } from '../support/temp.ts'

const readings = vi.hoisted(() => ({ count: 0 }))

/** The library that knows every place takes longer than all the rest of planning. */
vi.mock(import('../../src/cue-sheet/scan.ts'), async (original) => {
  const actual = await original()
  const scanSheet: typeof actual.scanSheet = (...given) => {
    readings.count++
    return actual.scanSheet(...given)
  }
  return { ...actual, scanSheet }
})

beforeEach(() => {
  readings.count = 0
})

const demo = readFileSync(resolve('cues/demo.yaml'), 'utf8')
  .replaceAll('stage.png', resolve('cues/stage.png'))
  .replace('version: demo', `version: demo\nmodels: { backdrop: ${resolve('models/backdrop')} }`)

async function planned(tail: string) {
  const folder = await temporaryFolder()
  const sheet = join(folder, 'cues.yaml')
  writeFileSync(sheet, `${demo}\n${tail}\n`)
  return await plan(sheet, { out: join(folder, 'out') })
}

it('reads a sound sheet once, whatever it names', async () => {
  const { units } = await planned(
    'storage: { bucket: show, endpoint: "https://store.example" }\ncallback: https://hooks.example/done',
  )
  expect(units).toHaveLength(16)
  expect(readings.count).toBe(0)
})

it('reads one with a fault again, for its place', async () => {
  await expect(planned('storage: { bucket: show, endpoint: "https://10.0.0.1" }')).rejects.toMatchObject({
    code: 'E_ENDPOINT_PRIVATE',
    location: { line: expect.any(Number), column: 36 },
  })
  expect(readings.count).toBe(1)
})
