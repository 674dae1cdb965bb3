/** `timing.json`: how long each step of a picture took, in whole milliseconds, for a player to keep its pace. */

import { PregenError } from '../errors.ts'
import { z } from '../zod.ts'

export interface Timing {
  /** `{"1":1000,"2":300,…,"final":1000}`: steps from 1 without a gap, then `final`. Whole milliseconds. */
  readonly stepDurations: Readonly<Record<string, number>>
}

/**
 * Makes a timing of measured durations. Rounding is done on the running sum, so that the whole stays true to
 * the clock however many steps are shorter than a millisecond.
 * @param stepsMs duration of step 1, 2, …; each ≥ 0
 * @param finalMs from the end of the last step to the end of the final picture's encoding
 */
export function timingOf(stepsMs: readonly number[], finalMs: number): Timing {
  const stepDurations: Record<string, number> = {}
  let elapsed = 0
  const add = (key: string, durationMs: number) => {
    if (!Number.isFinite(durationMs) || durationMs < 0) {
      throw new RangeError(`the duration of step ${key} is ${durationMs} ms`)
    }
    const before = Math.round(elapsed)
    elapsed += durationMs
    stepDurations[key] = Math.round(elapsed) - before
  }
  for (const [index, durationMs] of stepsMs.entries()) add(String(index + 1), durationMs)
  add('final', finalMs)
  return { stepDurations }
}

/** The bytes of `timing.json`: exactly `{"stepDurations":{"1":1000,…,"final":1000}}`. */
export function encodeTiming(timing: Timing): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ stepDurations: timing.stepDurations }))
}

/** Number of steps that a timing tells of. */
export function timingSteps(timing: Timing): number {
  return Object.keys(timing.stepDurations).length - 1
}

/**
 * Reads a `timing.json`.
 * @param file named in the error
 * @throws PregenError `E_TIMING_INVALID` for anything but whole, non-negative milliseconds for 1 … N and `final`
 */
export function parseTiming(text: string, file: string): Timing {
  const fault = (why: string) =>
    new PregenError('E_TIMING_INVALID', `${file} is no timing.json: ${why}`, {
      help: 'Run the sheet again: the variant is made anew.',
      location: { file },
    })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw fault(error instanceof Error ? error.message : String(error))
  }
  const timing = timingSchema.safeParse(value)
  if (!timing.success) {
    const [, key] = timing.error.issues[0]?.path ?? []
    if (key !== undefined) throw fault(`"${String(key)}" is not whole milliseconds`)
    throw fault('"stepDurations" is missing or not a map')
  }
  const { stepDurations } = timing.data
  const keys = Object.keys(stepDurations)
  for (const [index, key] of keys.entries()) {
    const expected = index === keys.length - 1 ? 'final' : String(index + 1)
    if (key !== expected) throw fault(`it has "${key}" where "${expected}" belongs`)
  }
  if (keys.length === 0) throw fault('"final" is missing')
  return { stepDurations }
}

const timingSchema = z.looseObject({ stepDurations: z.record(z.string(), z.int().nonnegative()) })
