import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SCHEDULER_NAMES, type SchedulerConfig, type SchedulerName } from '../../src/diffusion/scheduler.ts'
import { PregenError } from '../../src/errors.ts'
import { FAMILIES, type FamilyName, familyOf } from '../../src/families/index.ts'
import { openSchedule } from '../../src/families/schedule.ts'
import { expandUnits } from '../../src/plan/expand.ts'
import type { ModelFacts } from '../../src/plan/model-facts.ts'
import { faultsFrom, outline, parse } from '../cue-sheet/helpers.ts'
import { LCM_FACTS, SD_FACTS, SD3_FACTS } from '../plan/helpers.ts'

const FLOW = { use_flow_sigmas: true, prediction_type: 'flow_prediction' }

function isRefused(family: FamilyName, name: SchedulerName, config: SchedulerConfig): boolean {
  const folderConfig = { _class_name: familyOf(family).schedulerClass }
  try {
    openSchedule({
      ...{ family, folderConfig, scheduler: { name, config } },
      ...{ steps: 4, strength: undefined, imageTokens: 64 },
    })
    return false
  } catch (error) {
    if (error instanceof PregenError && error.code === 'E_SCHEDULER_UNSUITED') return true
    throw error
  }
}

function cell(family: FamilyName, name: SchedulerName): string {
  if (!isRefused(family, name, {})) return 'yes'
  const knowsFlow = name === 'unipc' || name === 'dpm++2m' || name === 'dpm++2m-sde'
  return knowsFlow && !isRefused(family, name, FLOW) ? 'flow' : '–'
}

it('docs/models.md shows which scheduler drives which family', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/models.md'), 'utf8')
  const names = FAMILIES.map(({ name }) => name)
  const rows = SCHEDULER_NAMES.map(
    (scheduler) => `| \`${scheduler}\` | ${names.map((family) => cell(family, scheduler)).join(' | ')} |`,
  )
  const head = [
    `| | ${names.map((name) => `\`${name}\``).join(' | ')} |`,
    `|---|${'---|'.repeat(names.length)}`,
  ]
  expect(docs).toContain([...head, ...rows].join('\n'))
})

it('a folder that was made for a flow is taken at its word', () => {
  const request = { scheduler: { config: {} }, steps: 4, strength: undefined, imageTokens: 64 }
  const folderConfig = { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 3 }
  const { scheduler, executedSteps } = openSchedule({ ...request, family: 'sdxl', folderConfig })
  expect([scheduler.name, executedSteps]).toEqual(['flow-match-euler', 4])
})

const FLUX_FACTS: ModelFacts = { ...SD3_FACTS, family: 'flux' }

function faultsOfCue(cue: string, facts: ModelFacts) {
  const text = `version: v1\nprograms: { P0: {} }\ncues:\n  c:\n    program: P0\n    prompt: x\n${cue}\n`
  return faultsFrom(() => expandUnits(parse(text), { backdrop: facts }))
}

describe('a scheduler that does not fit is a fault of the plan', () => {
  it('at the line of the setting, with what works', () => {
    const faults = faultsOfCue('    matrix: { scheduler: [flow-match-euler, euler, heun] }', SD3_FACTS)
    expect(outline(faults)).toEqual(['7:45 E_SCHEDULER_UNSUITED', '7:52 E_SCHEDULER_UNSUITED'])
    expect(faults[0]!.message).toBe(
      'cues.c.matrix.scheduler[1] does not work: euler cannot follow the flow that this model has learned.',
    )
    expect(faults[0]!.help).toMatch(/flow-match-euler.*unipc.*use_flow_sigmas.*flow_prediction/)
  })

  it('for FLUX all that cannot take sigmas', () => {
    const faults = faultsOfCue('    matrix: { scheduler: [euler, heun, ddim, unipc] }', FLUX_FACTS)
    expect(faults.map(({ code }) => code)).toEqual(new Array(4).fill('E_SCHEDULER_UNSUITED'))
    expect(faults[3]!.message).toMatch('use_flow_sigmas: true and prediction_type: flow_prediction')
  })

  it('says which key of a solver is missing', () => {
    const [fault] = faultsOfCue(
      '    seeds: [1]\n    scheduler: { name: unipc, use_flow_sigmas: true }',
      SD3_FACTS,
    )
    expect(fault!.message).toMatch(/only with prediction_type: flow_prediction\.$/)
  })

  it('before the keys that it would take from a folder made for another', () => {
    const schedulerConfig = { _class_name: 'UniPCMultistepScheduler', prediction_type: 'flow_prediction' }
    const facts: ModelFacts = { ...FLUX_FACTS, family: 'qwenimage', schedulerConfig }
    const faults = faultsOfCue('    matrix: { scheduler: [euler, heun, lcm, ddim, tcd] }', facts)
    expect(faults.map(({ code }) => code)).toEqual(new Array(5).fill('E_SCHEDULER_UNSUITED'))
    expect(faults[0]!.help).toMatch(/^Use flow-match-euler, or unipc/)
  })

  it('an LCM model takes lcm alone', () => {
    const [fault] = faultsOfCue('    seeds: [1]\n    scheduler: euler', LCM_FACTS)
    expect(fault).toMatchObject({ code: 'E_SCHEDULER_UNSUITED', location: { line: 8, column: 16 } })
  })

  it('mu is not made up for a family whose pipeline computes none', () => {
    const flow = 'use_flow_sigmas: true, prediction_type: flow_prediction, use_dynamic_shifting: true'
    const cue = `    seeds: [1]\n    scheduler: { name: unipc, ${flow} }`
    expect(faultsOfCue(cue, SD_FACTS)[0]).toMatchObject({ code: 'E_SCHEDULER_CONFLICT' })
  })
})

describe('settings that are sure to end in NaN are refused', () => {
  const spaced = 'final_sigmas_type: sigma_min, use_karras_sigmas: true'
  const zero = 'rescale_betas_zero_snr: true, timestep_spacing: trailing'
  it.each([
    [`{ name: dpm++2m, ${spaced}, solver_type: heun }`, 20, 20],
    [`{ name: dpm++2m, ${spaced}, solver_order: 3 }`, 20, 20],
    [`{ name: dpm++2m-sde, ${spaced}, solver_type: heun }`, 20, 20],
    [`{ name: unipc, ${spaced}, solver_order: 3, lower_order_final: false }`, 20, 20],
    [`{ name: ddim, ${zero}, clip_sample: false }`, 20, 1],
    [`{ name: ddpm, ${zero}, clip_sample: false }`, 20, 1],
    ['{ name: lcm, rescale_betas_zero_snr: true }', 4, 1],
  ])('%s', (scheduler, steps, step) => {
    const [fault] = faultsOfCue(`    seeds: [1]\n    steps: ${steps}\n    scheduler: ${scheduler}`, SD_FACTS)
    expect(fault).toMatchObject({ code: 'E_SCHEDULER_CONFLICT', location: { line: 9, column: 16 } })
    expect(fault!.message).toMatch(`step ${step} of ${steps} is not a number`)
    expect(fault!.help).toMatch(/^Set /)
  })

  it('and what only looks alike is not', () => {
    for (const scheduler of [
      `{ name: dpm++2m, ${spaced} }`,
      '{ name: dpm++2m, final_sigmas_type: sigma_min, solver_order: 3 }',
      `{ name: ddim, ${zero}, prediction_type: v_prediction }`,
      // Leading timesteps stay below the last training timestep.
      '{ name: ddim, rescale_betas_zero_snr: true }',
    ]) {
      const text = `version: v1\nprograms: { P0: {} }\ncues: { c: { program: P0, prompt: x, seeds: [1], scheduler: ${scheduler} } }\n`
      expect(expandUnits(parse(text), { backdrop: SD_FACTS }).units[0]!.executedSteps).toBe(50)
    }
  })
})

// Recorded with diffusers 0.39: UniPCMultistepScheduler(use_flow_sigmas=True, …).set_timesteps(sigmas=np.linspace(1, 1 / 5, 5), mu=0.7)
describe.each(['chroma', 'qwenimage'] as const)(
  '%s hands its sigmas to UniPC, as its pipelines do',
  (family) => {
    it.each([
      [
        { flow_shift: 3 },
        [999, 923, 818, 666, 428],
        [
          0.9999989867210388, 0.9230769276618958, 0.8181818127632141, 0.6666666865348816, 0.4285714328289032,
          0,
        ],
      ],
      [
        { use_dynamic_shifting: true, base_shift: 0.7, max_shift: 0.7, shift_terminal: 0.02 },
        [999, 837, 633, 371, 20],
        [
          0.9999989867210388, 0.8372868299484253, 0.6335475444793701, 0.371027410030365, 0.019999999552965164,
          0,
        ],
      ],
    ])('%j', (own, timesteps, sigmas) => {
      const { scheduler } = openSchedule({
        ...{ family, folderConfig: { _class_name: familyOf(family).schedulerClass, ...own } },
        ...{ scheduler: { name: 'unipc', config: FLOW }, steps: 5, strength: undefined, imageTokens: 64 },
      })
      expect(scheduler.timesteps).toEqual(timesteps)
      const far = scheduler.sigmas!.map((sigma, index) => Math.abs(sigma - sigmas[index]!))
      expect(Math.max(...far)).toBeLessThan(1e-7)
    })
  },
)
