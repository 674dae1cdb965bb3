import { booleanOf, numberOf, numbersOf } from './config-keys.ts'
import { createAlphasCumprod } from './noise-schedule.ts'
import type { SchedulerConfig } from './scheduler.ts'

/** ᾱ where diffusers' solvers keep the last entry off zero, so that its σ stays finite. */
const LAST_ALPHA_OF_ZERO_SNR = 2 ** -24

/** ᾱ of every training timestep, exactly as the betas of a resolved config give it. */
export function plainAlphasCumprodOf(config: SchedulerConfig): Float32Array {
  return createAlphasCumprod({
    numTrainTimesteps: numberOf(config, 'num_train_timesteps'),
    betaStart: numberOf(config, 'beta_start'),
    betaEnd: numberOf(config, 'beta_end'),
    betaSchedule: String(config.beta_schedule),
    trainedBetas: numbersOf(config, 'trained_betas'),
    rescaleBetasZeroSnr: 'rescale_betas_zero_snr' in config && booleanOf(config, 'rescale_betas_zero_snr'),
  })
}

/** The same for the classes that work with σ: with `rescale_betas_zero_snr` the last entry is 2^-24, not 0. */
export function alphasCumprodOf(config: SchedulerConfig): Float32Array {
  const alphas = plainAlphasCumprodOf(config)
  if (config.rescale_betas_zero_snr === true) alphas[alphas.length - 1] = LAST_ALPHA_OF_ZERO_SNR
  return alphas
}
