/** Which schedulers drive which kind of model as diffusers' pipelines do, and what works where one does not. */
import type { SchedulerConfig } from '../diffusion/scheduler.ts'
import type { Misfit, ResolvedScheduler } from './family.ts'

const FLOW_HELP =
  'Use flow-match-euler, or unipc or dpm++2m with use_flow_sigmas: true and prediction_type: flow_prediction.'

/** Solvers that can follow a flow where their config says so. */
const FLOW_SOLVERS: readonly string[] = ['unipc', 'dpm++2m', 'dpm++2m-sde']

/** Models that learned a flow from noise to picture (SD3, FLUX). */
export function flowMisfit({ name, config }: ResolvedScheduler): Misfit | null {
  if (name === 'flow-match-euler') return null
  if (!FLOW_SOLVERS.includes(name)) {
    return { why: 'cannot follow the flow that this model has learned', help: FLOW_HELP }
  }
  const missing = [
    ...(config.use_flow_sigmas === true ? [] : ['use_flow_sigmas: true']),
    ...(config.prediction_type === 'flow_prediction' ? [] : ['prediction_type: flow_prediction']),
  ]
  if (missing.length === 0) return null
  return {
    why: `follows the flow that this model has learned only with ${missing.join(' and ')}`,
    help: FLOW_HELP,
  }
}

/** Models that learned to predict noise, or v (Stable Diffusion, SDXL); a folder made for a flow is taken at its word. */
export function noiseMisfit({ name, folderConfig }: ResolvedScheduler): Misfit | null {
  if (name !== 'flow-match-euler' || learnedFlow(folderConfig)) return null
  return {
    why: 'follows a flow, and this model has learned to predict noise',
    help: 'Use any other scheduler, or leave it out.',
  }
}

function learnedFlow({ _class_name: className, prediction_type: predicts }: SchedulerConfig): boolean {
  return className === 'FlowMatchEulerDiscreteScheduler' || predicts === 'flow_prediction'
}

/** Latent consistency models: their pipeline hands `original_inference_steps` and the strength to the scheduler. */
export function lcmMisfit({ name }: ResolvedScheduler): Misfit | null {
  if (name === 'lcm') return null
  return {
    why: 'cannot make the schedule of a latent consistency model',
    help: 'Leave scheduler out, or name lcm.',
  }
}
