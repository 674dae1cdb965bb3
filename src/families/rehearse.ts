/** A schedule walked through with a few made-up numbers in place of a picture: settings that end in NaN show there. */
import type { Scheduler, SchedulerConfig } from '../diffusion/scheduler.ts'
import { PregenError } from '../errors.ts'

const LATENTS = [0.7, -0.4, 0.2, -1.1]
const PREDICTION = [0.3, -0.6, 0.9, -0.2]
const NOISE = [-0.8, 0.5, 1.2, 0.1]

/**
 * Whatever divides by zero does so for every picture, so that four values tell it of all.
 * @throws PregenError E_SCHEDULER_CONFLICT naming the first step that is not a number
 */
export function requireNumbers(
  { scheduler, firstCall }: { readonly scheduler: Scheduler; readonly firstCall: number },
  fromPicture: boolean,
): void {
  const { name, timesteps, initNoiseSigma } = scheduler
  const latents = fromPicture
    ? scheduler.addNoise(Float32Array.from(LATENTS), Float32Array.from(NOISE), firstCall)
    : Float32Array.from(LATENTS, (value) => value * initNoiseSigma)
  const prediction = new Float32Array(PREDICTION.length)
  scheduler.begin(firstCall, latents.length)
  const { stepOfCall } = scheduler
  const skipped = stepOfCall[firstCall]! - 1
  for (let call = firstCall; call < timesteps.length; call++) {
    prediction.set(PREDICTION)
    scheduler.step(prediction, call, latents, (out) => out.set(NOISE))
    if (latents.every(Number.isFinite)) continue
    const [step, steps] = [stepOfCall[call]! - skipped, stepOfCall.at(-1)! - skipped]
    throw new PregenError(
      'E_SCHEDULER_CONFLICT',
      `scheduler ${name}: step ${step} of ${steps} is not a number`,
      {
        help: whatToChange(scheduler.config),
      },
    )
  }
}

function whatToChange(config: SchedulerConfig): string {
  const { rescale_betas_zero_snr: zeroSnr, prediction_type: predicts, final_sigmas_type: end } = config
  if (zeroSnr === true && predicts === 'epsilon') {
    return 'Set rescale_betas_zero_snr to false, or prediction_type to v_prediction if the model predicts that: where no signal is left, noise tells nothing of the picture.'
  }
  if (end === 'sigma_min') {
    return 'Set final_sigmas_type to zero, solver_order to 2 and solver_type to midpoint (dpm++2m) or bh2 (unipc), or take evenly spaced timesteps.'
  }
  return 'Leave the keys of scheduler out that are not needed, or ask for another number of steps.'
}
