/** What is said of models of the published sizes before their weights are here: memory, the card, and what is missing. */
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { PUBLISHED, writeLayout } from '../model/published-layouts.ts'
import { runCli } from '../support/cli.ts'
import { writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const { folder } = createScratch()
const names = Object.keys(PUBLISHED)
/** GB on a GPU in fp16 at 1024 × 1024, and the card. */
const EXPECTED: Readonly<Record<string, readonly [least: number, most: number, card: number]>> = {
  zimage: [14, 17, 16],
  'klein-4b': [10, 13, 12],
  'klein-9b': [20, 23, 24],
  chroma: [20, 23, 24],
  qwenimage: [42, 47, 48],
}

beforeAll(() => {
  for (const name of names)
    writeLayout(PUBLISHED[name]!, join(folder, name), name === 'chroma' ? 'absent' : 'holes')
})

const sheetOf = (provider: string | undefined) =>
  writeSheet(
    folder,
    {
      version: 'v',
      models: Object.fromEntries(
        names.map((name) => [
          name,
          { path: join(folder, name), ...(provider === undefined ? {} : { provider }) },
        ]),
      ),
      programs: { P0: {} },
      cues: Object.fromEntries(
        names.map((name) => [name, { program: 'P0', model: name, prompt: 'a fox', seeds: [1] }]),
      ),
    },
    `${provider ?? 'any'}.yaml`,
  )

describe('a plan of models of the published sizes', () => {
  it('names memory and the card of each, and what is not there', async () => {
    const plan = await runCli(['plan', await sheetOf('cuda'), '--out', join(folder, 'out')])
    expect([plan.code, plan.stderr.split('\n').filter((line) => line.startsWith('error'))]).toEqual([0, []])
    for (const name of names) {
      const line = plan.stdout.split('\n').find((each) => each.startsWith(`${name} at 1024×1024`))!
      const [, gb, card] = /([\d.]+) GB on a GPU \(a card of (\d+) GB\)$/.exec(line) ?? []
      const [least, most, expected] = EXPECTED[name]!
      expect(Number(gb), line).toBeGreaterThan(least)
      expect(Number(gb), line).toBeLessThan(most)
      expect(Number(card), line).toBe(expected)
    }
    const warnings = plan.stderr.split('\n').filter((line) => line.includes('W_WEIGHTS_ABSENT'))
    expect(warnings).toHaveLength(names.length)
    expect(warnings.join()).toContain('transformer/model.onnx_data (40.9 GB)')
  })

  it('is no run: that wants the weights', async () => {
    const run = await runCli(['run', await sheetOf('cpu'), '--dry-run', '--out', join(folder, 'out')])
    expect(run.code).toBe(2)
    expect(run.stderr).toMatch(/chroma\/transformer\/model\.onnx_data[\s\S]*E_MODEL_DATA_MISSING/)
    expect(run.stderr).toMatch(/E_MODEL_TRUNCATED[\s\S]*This file claims/)
  })
})

it('models inspect tells sizes and memory, then what is missing', async () => {
  const { code, stdout, stderr } = await runCli(['models', 'inspect', join(folder, 'chroma')])
  expect(code).toBe(2)
  expect(stdout).toMatch(/memory {7}about [\d.]+ GB on the CPU, 2\d\.\d GB on a GPU \(a card of 24 GB\)/)
  expect(stdout).toMatch(/transformer +17\.8 GB/)
  expect(stderr).toMatch(/E_MODEL_DATA_MISSING/)
})

it('doctor tells both in a line', async () => {
  const { stdout } = await runCli(['doctor', await sheetOf(undefined)])
  expect(stdout).toMatch(
    /zimage .*1\d\.\d GB on a GPU \(a card of 16 GB\); weights are not on this disk: .*\(12\.3 GB\)/,
  )
})
