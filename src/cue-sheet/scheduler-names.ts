/** Scheduler names of the sheet: our own, and diffusers' class names. */
import { type NamedScheduler, SCHEDULER_CLASS_NAMES, schedulerNameOfClass } from '../diffusion/class-names.ts'
import { SCHEDULER_NAMES, type SchedulerConfig } from '../diffusion/scheduler.ts'

/** Every word that `scheduler` takes, for messages and editors. */
export const SCHEDULER_WORDS: readonly string[] = [...SCHEDULER_NAMES, ...SCHEDULER_CLASS_NAMES]

/** The scheduler that a sheet's word stands for, with what a class name implies; null for an unknown word. */
export function findScheduler(word: string, config: SchedulerConfig): NamedScheduler | null {
  const own = SCHEDULER_NAMES.find((name) => name === word)
  return own === undefined ? schedulerNameOfClass(word, config) : { name: own, impliedConfig: {} }
}
