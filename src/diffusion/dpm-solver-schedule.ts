/** Timesteps and noise levels of diffusers' DPMSolverMultistepScheduler. */
import { PregenError } from '../errors.ts'
import { booleanOf, choiceOf, numberOf, optionalNumberOf } from './config-keys.ts'
import { log32, sqrt32 } from './float32.ts'
import { trainingSigmas } from './noise-schedule.ts'
import { linearInterpolation, linspace, roundHalfEven } from './numpy.ts'
import type { SchedulerConfig } from './scheduler.ts'
import { spaceSigmas, timestepOfSigma } from './sigma-spacing.ts'
import { spacingOf } from './spacing-of.ts'
import { shiftSigmas } from './time-shift.ts'
import { solverTimesteps, TIMESTEP_SPACINGS } from './timestep-spacing.ts'

const fround = Math.fround

export interface SolverSchedule {
  /** Whole numbers: fractions are cut off as the cast to int64 does. */
  readonly timesteps: readonly number[]
  /** One more than there are timesteps. */
  readonly sigmas: Float32Array
}

/** @param mu replaces `flow_shift` by e^mu where `use_dynamic_shifting` is set */
export function buildDpmSchedule(
  config: SchedulerConfig,
  alphasCumprod: Float32Array,
  count: number,
  mu: number | undefined,
): SolverSchedule {
  const training = trainingSigmas(alphasCumprod)
  const { timesteps, sigmas } = spaced(config, { alphasCumprod, training }, count, mu)
  const last = config.final_sigmas_type === 'sigma_min' ? training[0]! : 0
  return { timesteps: Array.from(timesteps, Math.trunc), sigmas: Float32Array.from([...sigmas, last]) }
}

interface Spaced {
  readonly timesteps: Float64Array
  readonly sigmas: Float64Array
}

function spaced(
  config: SchedulerConfig,
  { alphasCumprod, training }: { readonly alphasCumprod: Float32Array; readonly training: Float32Array },
  count: number,
  mu: number | undefined,
): Spaced {
  const spacing = spacingOf(config)
  const logSigmas = training.map(Math.log)
  if (spacing === 'karras') return roundedUnlessCosine(config, at(spaceSigmas(spacing, min(), max(), count)))
  if (booleanOf(config, 'use_lu_lambdas')) return roundedUnlessCosine(config, luLambdas())
  if (spacing !== null) return at(spaceSigmas(spacing, min(), max(), count))
  if (booleanOf(config, 'use_flow_sigmas')) return flowSchedule(config, count, mu)
  const timesteps = discreteTimesteps(config, alphasCumprod, count)
  return { timesteps, sigmas: timesteps.map((timestep) => linearInterpolation(timestep, training)) }

  function min(): number {
    return optionalNumberOf(config, 'sigma_min') ?? training[0]!
  }
  function max(): number {
    return optionalNumberOf(config, 'sigma_max') ?? training[training.length - 1]!
  }
  /** Lu et al. 2022: evenly spaced in λ. */
  function luLambdas(): Spaced {
    const first = logSigmas[logSigmas.length - 1]!
    const last = logSigmas[0]!
    return at(linspace(0, 1, count).map((ramp) => Math.exp(first + ramp * (last - first))))
  }
  function at(sigmas: Float64Array): Spaced {
    return { sigmas, timesteps: sigmas.map((sigma) => timestepOfSigma(sigma, logSigmas)) }
  }
}

function roundedUnlessCosine(config: SchedulerConfig, { timesteps, sigmas }: Spaced): Spaced {
  return config.beta_schedule === 'squaredcos_cap_v2'
    ? { timesteps, sigmas }
    : { timesteps: timesteps.map(roundHalfEven), sigmas }
}

function flowSchedule(config: SchedulerConfig, count: number, mu: number | undefined): Spaced {
  const total = numberOf(config, 'num_train_timesteps')
  const dynamic = mu !== undefined && booleanOf(config, 'use_dynamic_shifting')
  if (dynamic && config.time_shift_type !== 'exponential') {
    throw new PregenError('E_SCHEDULER_CONFLICT', 'dpm++2m shifts by mu exponentially only', {
      help: 'Set time_shift_type to exponential.',
    })
  }
  const shift = dynamic ? Math.exp(mu) : numberOf(config, 'flow_shift')
  const sigmas = linspace(1, 1 / total, count + 1)
    .map((alpha) => 1 - alpha)
    .reverse()
    .slice(0, -1)
  shiftSigmas(sigmas, shift)
  return { sigmas, timesteps: sigmas.map((sigma) => sigma * total) }
}

function discreteTimesteps(
  config: SchedulerConfig,
  alphasCumprod: Float32Array,
  count: number,
): Float64Array {
  const total = numberOf(config, 'num_train_timesteps')
  const spacing = choiceOf(config, 'timestep_spacing', TIMESTEP_SPACINGS)
  const last = total - clippedTimesteps(alphasCumprod, numberOf(config, 'lambda_min_clipped'))
  if (spacing === 'leading') requireSpread(last, count)
  return solverTimesteps(spacing, { total, last }, count, numberOf(config, 'steps_offset'))
}

/** How many of the noisiest timesteps lie below the least λ. */
function clippedTimesteps(alphasCumprod: Float32Array, lambdaMin: number): number {
  let clipped = 0
  for (let i = alphasCumprod.length - 1; i >= 0; i--) {
    const alphaBar = alphasCumprod[i]!
    const lambda = fround(log32(sqrt32(alphaBar)) - log32(sqrt32(fround(1 - alphaBar))))
    if (lambda >= lambdaMin) break
    clipped++
  }
  return clipped
}

/** @throws PregenError where so many steps would all fall on one timestep */
export function requireSpread(available: number, count: number): void {
  if (count < available) return
  throw new PregenError(
    'E_SCHEDULER_STEPS',
    `${count} steps do not fit into ${available} training timesteps`,
    {
      help: `Ask for at most ${available - 1} steps.`,
    },
  )
}
