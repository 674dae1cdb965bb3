/** Timesteps and noise levels of diffusers' UniPCMultistepScheduler. */
import { PregenError } from '../errors.ts'
import { booleanOf, choiceOf, numberOf, optionalNumberOf } from './config-keys.ts'
import { requireSpread, type SolverSchedule } from './dpm-solver-schedule.ts'
import { trainingSigmas } from './noise-schedule.ts'
import { linearInterpolation, linspace, roundHalfEven } from './numpy.ts'
import type { SchedulerConfig, SetTimestepsOptions } from './scheduler.ts'
import { type SigmaSpacing, spaceSigmas, timestepOfSigma } from './sigma-spacing.ts'
import { spacingOf } from './spacing-of.ts'
import { shiftByMu, shiftSigmas, stretchToTerminal, TIME_SHIFT_TYPES } from './time-shift.ts'
import { solverTimesteps, TIMESTEP_SPACINGS } from './timestep-spacing.ts'

/** The first σ of a flow stays this far below 1, where α = 1 − σ would vanish. */
const FLOW_MARGIN = 1e-6

interface Spaced {
  readonly timesteps: Float64Array
  readonly sigmas: Float64Array
  /** σ after the last step where `final_sigmas_type` is sigma_min. */
  readonly smallest: number
}

/** @param options `mu` for `use_dynamic_shifting`; `sigmas` of a pipeline that hands them to a flow's solver */
export function buildUniPcSchedule(
  config: SchedulerConfig,
  alphasCumprod: Float32Array,
  count: number,
  { mu, sigmas: given }: Pick<SetTimestepsOptions, 'mu' | 'sigmas'>,
): SolverSchedule {
  if (mu === undefined && booleanOf(config, 'use_dynamic_shifting')) {
    throw new PregenError(
      'E_SCHEDULER_CONFLICT',
      'use_dynamic_shifting needs a model whose pipeline computes mu',
      {
        help: 'Set use_dynamic_shifting to false.',
      },
    )
  }
  if (given !== undefined && !booleanOf(config, 'use_flow_sigmas')) {
    throw new PregenError(
      'E_SCHEDULER_CONFLICT',
      'unipc builds its schedule from sigmas with use_flow_sigmas alone',
      {
        help: 'Set use_flow_sigmas to true.',
      },
    )
  }
  // As in diffusers: a flow's own levels stand for those of training.
  const own = given === undefined ? undefined : Float64Array.from(given)
  const { timesteps, sigmas, smallest } = spaced(config, own ?? trainingSigmas(alphasCumprod), count, {
    mu,
    own,
  })
  const last = config.final_sigmas_type === 'sigma_min' ? smallest : 0
  return { timesteps: Array.from(timesteps, Math.trunc), sigmas: Float32Array.from([...sigmas, last]) }
}

interface FlowOptions {
  readonly mu: number | undefined
  /** From 1 down. */
  readonly own: Float64Array | undefined
}

function spaced(
  config: SchedulerConfig,
  training: Float32Array | Float64Array,
  count: number,
  options: FlowOptions,
): Spaced {
  const spacing = spacingOf(config)
  if (spacing !== null) return sigmaSchedule(config, spacing, training, count)
  if (booleanOf(config, 'use_flow_sigmas')) return flowSchedule(config, count, options)
  const total = numberOf(config, 'num_train_timesteps')
  const timestepSpacing = choiceOf(config, 'timestep_spacing', TIMESTEP_SPACINGS)
  if (timestepSpacing === 'leading') requireSpread(total, count)
  const timesteps = solverTimesteps(timestepSpacing, { total }, count, numberOf(config, 'steps_offset'))
  return {
    timesteps,
    sigmas: timesteps.map((timestep) => linearInterpolation(timestep, training)),
    smallest: training[0]!,
  }
}

function sigmaSchedule(
  config: SchedulerConfig,
  spacing: SigmaSpacing,
  training: Float32Array | Float64Array,
  count: number,
): Spaced {
  const min = optionalNumberOf(config, 'sigma_min') ?? training[0]!
  const max = optionalNumberOf(config, 'sigma_max') ?? training[training.length - 1]!
  const sigmas = spaceSigmas(spacing, min, max, count)
  if (spacing === 'karras' && booleanOf(config, 'use_flow_sigmas')) {
    const total = numberOf(config, 'num_train_timesteps')
    const flow = sigmas.map((sigma) => sigma / (sigma + 1))
    return { sigmas: flow, timesteps: flow.map((sigma) => sigma * total), smallest: flow[count - 1]! }
  }
  const logSigmas = training.map(Math.log)
  const timesteps = sigmas.map((sigma) => timestepOfSigma(sigma, logSigmas))
  return {
    sigmas,
    timesteps: spacing === 'karras' ? timesteps.map(roundHalfEven) : timesteps,
    smallest: sigmas[count - 1]!,
  }
}

function flowSchedule(config: SchedulerConfig, count: number, { mu, own }: FlowOptions): Spaced {
  const total = numberOf(config, 'num_train_timesteps')
  const sigmas = own ?? linspace(1, 1 / total, count + 1).slice(0, -1)
  if (mu !== undefined && booleanOf(config, 'use_dynamic_shifting')) {
    shiftByMu(sigmas, mu, choiceOf(config, 'time_shift_type', TIME_SHIFT_TYPES))
  } else {
    shiftSigmas(sigmas, numberOf(config, 'flow_shift'))
  }
  const terminal = optionalNumberOf(config, 'shift_terminal')
  if (terminal) stretchToTerminal(sigmas, terminal)
  if (Math.abs(sigmas[0]! - 1) < FLOW_MARGIN) sigmas[0] = sigmas[0]! - FLOW_MARGIN
  return { sigmas, timesteps: sigmas.map((sigma) => sigma * total), smallest: sigmas[count - 1]! }
}
