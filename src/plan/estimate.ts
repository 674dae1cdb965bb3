/** What a plan will cost, roughly: files, bytes, steps, and time where earlier runs tell. */
import type { Unit } from './unit.ts'
import { unitFiles } from './unit-files.ts'

/** The time that one finished unit took. */
export interface RecordedTiming {
  readonly model: string
  readonly width: number
  readonly height: number
  /** Of a video. */
  readonly numFrames?: number | undefined
  /** Of a video: whether the denoiser was evaluated twice a step. */
  readonly guided?: boolean | undefined
  /** Steps executed. */
  readonly steps: number
  /** From its start to its final picture, ms. */
  readonly durationMs: number
}

export interface PlanEstimate {
  readonly files: number
  /** Rough: PNGs of painted pictures. */
  readonly bytes: number
  readonly steps: number
  /** null: some unit's model has never been timed. */
  readonly expectedMs: number | null
  /** Finished units of the models in question, which tell it. */
  readonly timedUnits: number
}

/** Whose work is compared: a unit, or one of an earlier run. */
type Drawn = Pick<RecordedTiming, 'model' | 'width' | 'height' | 'numFrames' | 'guided'>

/** Work of a step, in any measure that is the same for one model. */
export type WorkOf = (drawn: Drawn) => number

const pixelsOf: WorkOf = ({ width, height }) => width * height

/** Bytes a pixel of a PNG of a picture, and of the enlarged, smoother preview. */
const FINAL_BYTES_PER_PIXEL = 1.6
const PREVIEW_BYTES_PER_PIXEL = 1.1
const LATENT_BYTES_PER_PIXEL = 3
const THUMBNAIL_BYTES = 12_000
const TIMING_BYTES_PER_STEP = 12
/** Of an animated WebP of one step, and pixels of the largest of its frames. */
const ANIMATION_BYTES_PER_PIXEL = 0.15
const ANIMATION_PIXELS = 256 * 256
/** Frames of a video for one of its latents. */
const FRAMES_PER_LATENT = 4
/** Pixels of the picture per latent, along an edge. */
const LATENT_SCALE = 8

/**
 * @param timings finished units of earlier runs, in any order
 * @param workOf by which a time of one size tells that of another; by pixels unless given
 */
export function estimatePlan(
  units: readonly Unit[],
  timings: readonly RecordedTiming[] = [],
  workOf: WorkOf = pixelsOf,
): PlanEstimate {
  const models = new Set(units.map(({ model }) => model))
  const told = timings.filter(({ model, steps: count }) => count > 0 && models.has(model))
  const rates = msPerStep(told, workOf)
  let files = 0
  let bytes = 0
  let steps = 0
  let expectedMs: number | null = 0
  for (const unit of units) {
    files += unitFiles(unit).length
    bytes += unitBytes(unit)
    steps += unit.executedSteps
    const perStep: number | undefined = rates(unit)
    expectedMs =
      expectedMs === null || perStep === undefined ? null : expectedMs + perStep * unit.executedSteps
  }
  return {
    files,
    bytes: Math.round(bytes),
    steps,
    expectedMs: expectedMs === null ? null : Math.round(expectedMs),
    timedUnits: told.length,
  }
}

function unitBytes(unit: Unit): number {
  const pixels = unit.width * unit.height
  const small = unit.previews?.method === 'latent2rgb' && unit.previews.size === 'latent'
  const preview = small
    ? (pixels / LATENT_SCALE ** 2) * LATENT_BYTES_PER_PIXEL
    : pixels * PREVIEW_BYTES_PER_PIXEL
  const thumbnail = unit.thumbnail ? THUMBNAIL_BYTES : 0
  const final = pixels * FINAL_BYTES_PER_PIXEL + thumbnail
  if (unit.previews === null) return final
  const stepPictures = Math.ceil(unit.executedSteps / unit.previews.every)
  const latentFrames = ((unit.numFrames ?? 1) - 1) / FRAMES_PER_LATENT + 1
  const animation =
    unit.previews.frames === 'animated'
      ? latentFrames * Math.min(pixels, ANIMATION_PIXELS) * ANIMATION_BYTES_PER_PIXEL
      : 0
  return final + stepPictures * (preview + animation) + (unit.executedSteps + 2) * TIMING_BYTES_PER_STEP
}

/** Mean ms a step by model and size; for another size of a known model, by the work. */
function msPerStep(timings: readonly RecordedTiming[], workOf: WorkOf): (unit: Drawn) => number | undefined {
  const bySize = new Map<string, { ms: number; steps: number }>()
  const byModel = new Map<string, { ms: number; work: number }>()
  for (const timing of timings) {
    const { model, steps, durationMs } = timing
    const key = sizeKey(timing)
    const size = bySize.get(key) ?? { ms: 0, steps: 0 }
    bySize.set(key, { ms: size.ms + durationMs, steps: size.steps + steps })
    const all = byModel.get(model) ?? { ms: 0, work: 0 }
    byModel.set(model, { ms: all.ms + durationMs, work: all.work + steps * workOf(timing) })
  }
  return (unit) => {
    const size = bySize.get(sizeKey(unit))
    if (size) return size.ms / size.steps
    const all = byModel.get(unit.model)
    return all && (all.ms / all.work) * workOf(unit)
  }
}

function sizeKey({ model, width, height, numFrames, guided }: Drawn): string {
  return `${width}x${height} ${numFrames === undefined ? '' : `${numFrames} ${guided}`} ${model}`
}
