/** What is said of models of the published sizes before their weights are here: memory, the card, and what is missing. */
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { PUBLISHED, wan13B, writeLayout } from '../model/published-layouts.ts'
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

describe('a plan of a video of real size, 81 frames of 832 × 480 by Wan 2.1 1.3B', () => {
  const planWith = async (name: string, provider: string, ...more: string[]) => {
    const sheet = await writeSheet(
      folder,
      {
        version: 'v',
        models: { wan: { path: join(folder, name), provider } },
        defaults: { num_frames: 81, width: 832, height: 480, steps: 50, guidance_scale: 5 },
        programs: { P0: {} },
        cues: { fox: { program: 'P0', prompt: 'a fox', seeds: [1] } },
      },
      `${name}.yaml`,
    )
    return runCli(['plan', sheet, '--out', join(folder, `out-${name}`), ...more])
  }

  beforeAll(() => {
    writeLayout(wan13B(true), join(folder, 'fused'), 'holes')
    writeLayout(wan13B(false), join(folder, 'plain'), 'holes')
  })

  it('tells memory, work, and between which times it takes', async () => {
    const plan = await planWith('fused', 'cuda')
    expect([plan.code, plan.stderr.includes('error')]).toEqual([0, false])
    const line = plan.stdout.split('\n').find((each) => each.startsWith('1 video'))!
    const [, memory, work] = /about ([\d.]+) GB of memory at most; (\d+) PFLOP of work; /.exec(line) ?? []
    expect(Number(memory), line).toBeGreaterThan(9)
    expect(Number(memory), line).toBeLessThan(24)
    expect(work, line).toBe('28')
    expect(line).toContain('no earlier run here tells their time, in the order of 4 min 43 s at 100 TFLOP/s')
    const report = JSON.parse((await planWith('fused', 'cuda', '--json')).stdout)
    expect(report.totals).toMatchObject({ expectedMs: null, timedUnits: 0 })
  })

  it('is refused with plain attention, before anything is loaded', async () => {
    const plan = await planWith('plain', 'cuda')
    expect([plan.code, plan.stdout]).toEqual([2, ''])
    expect(plan.stderr).toContain('E_ATTENTION_MEMORY')
    expect(plan.stderr).toContain('32760 tokens')
    expect(plan.stderr).toMatch(/plain\.yaml:\d+:\d+/)
    expect(plan.stderr).toContain('num_frames: 29 or less')
  })
})
