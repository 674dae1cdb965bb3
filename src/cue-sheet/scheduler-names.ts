/** Scheduler names of the sheet: our own, and diffusers' class names. */
import { SCHEDULER_NAMES, type SchedulerName } from '../diffusion/scheduler.ts'

/** diffusers' classes, as `scheduler_config.json` names them in `_class_name`. */
const NAME_OF_CLASS: Readonly<Record<string, SchedulerName>> = {
  FlowMatchEulerDiscreteScheduler: 'flow-match-euler',
  EulerDiscreteScheduler: 'euler',
  EulerAncestralDiscreteScheduler: 'euler-ancestral',
  HeunDiscreteScheduler: 'heun',
  DPMSolverMultistepScheduler: 'dpm++2m',
  DDIMScheduler: 'ddim',
  DDPMScheduler: 'ddpm',
  PNDMScheduler: 'pndm',
  LCMScheduler: 'lcm',
  UniPCMultistepScheduler: 'unipc',
}

/** Every word that `scheduler` takes, for messages. */
export const SCHEDULER_WORDS: readonly string[] = [...SCHEDULER_NAMES, ...Object.keys(NAME_OF_CLASS)]

/** The scheduler that a sheet's word stands for, else undefined. */
export function findSchedulerName(word: string): SchedulerName | undefined {
  const own = SCHEDULER_NAMES.find((name) => name === word)
  return own ?? (Object.hasOwn(NAME_OF_CLASS, word) ? NAME_OF_CLASS[word] : undefined)
}
