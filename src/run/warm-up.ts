/**
 * A device's first call at a size searches for convolutions, compiles shaders and takes memory: that is done before a
 * unit's clock starts, so that timing.json tells the truth from the first picture on.
 */
import { isDeath, type OpenedModel } from '../engine/device.ts'
import type { PictureJob } from '../engine/inference-calls.ts'
import type { EmitRunEvent } from './events.ts'

/** Two: what some schedulers do from the second on is another call. */
const WARM_STEPS = 2

export type WarmUp = (jobs: readonly PictureJob[], signal: AbortSignal) => Promise<void>

/** @returns draws a picture of each new size and batch in a few steps, and throws it away; nothing on the CPU */
export function createWarmUp(opened: OpenedModel, emit: EmitRunEvent): WarmUp {
  const warm = new Set<string>()
  return async (jobs, signal) => {
    const [first] = jobs
    if (opened.provider === 'cpu' || first === undefined || signal.aborted) return
    const { width, height } = first
    const shape = `${width}×${height}×${jobs.length} ${first.guidanceScale > 1} ${first.initImage !== undefined}`
    if (warm.has(shape)) return
    warm.add(shape)
    const short = jobs.map((job) => ({ ...job, steps: Math.min(job.steps, WARM_STEPS), previews: null }))
    const before = performance.now()
    try {
      await opened.call('generate', { jobs: short }, { signal })
    } catch (error) {
      // Whatever keeps it from being drawn is told of the unit itself, which comes next.
      if (isDeath(error)) throw error
      return
    }
    const durationMs = Math.round(performance.now() - before)
    emit({ type: 'device-warmed', device: opened.device, width, height, batch: jobs.length, durationMs })
  }
}
