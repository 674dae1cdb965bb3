import { join } from 'node:path'
import { expect, it } from 'vitest'
import { planSheet } from '../../src/tasks/plan-sheet.ts'
import { packageRoot } from '../support/cli.ts'
import { writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

const BACKDROP = join(packageRoot, 'models/backdrop')

async function warningsOf(sizes: readonly [number, number][]): Promise<readonly string[]> {
  const folder = await temporaryFolder()
  const variants = Object.fromEntries(sizes.map(([width, height], i) => [`v${i}`, { width, height }]))
  const sheetPath = await writeSheet(folder, {
    version: 'v1',
    defaults: { model: 'backdrop', steps: 2 },
    programs: { P0: {} },
    cues: { sea: { program: 'P0', prompt: 'sea', seed: 1, variants } },
  })
  const { warnings } = await planSheet({
    ...{ sheetPath, env: {}, outDir: join(folder, 'out'), cacheDir: undefined },
    ...{ force: false, allowPrivateUrls: false, embeddedModels: { backdrop: BACKDROP } },
  })
  return warnings.map(({ code, message }) => `${code} ${message}`)
}

it('plans the sizes of a stage without a word', async () => {
  const sizes: [number, number][] = [
    [128, 128],
    [256, 144],
    [144, 256],
    [192, 128],
    [192, 192],
  ]
  expect(await warningsOf(sizes)).toEqual([])
})

it('says once where the embedded model is asked for more than it has learned', async () => {
  const warnings = await warningsOf([
    [128, 128],
    [512, 288],
    [512, 512],
  ])
  expect(warnings).toEqual([expect.stringMatching(/^W_SIZE_UNTRAINED .*2 units ask .*sea\/v1 \(512 × 288\)/)])
})
