/** What a plan will cost, roughly: files, bytes, steps, and time where earlier runs tell. */
import type { Unit } from './unit.ts'
import { unitFiles } from './unit-files.ts'

/** The time that one finished unit took. */
export interface RecordedTiming {
  readonly model: string
  readonly width: number
  readonly height: number
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
}

/** Bytes a pixel of a PNG of a picture, and of the enlarged, smoother preview. */
const FINAL_BYTES_PER_PIXEL = 1.6
const PREVIEW_BYTES_PER_PIXEL = 1.1
const LATENT_BYTES_PER_PIXEL = 3
const THUMBNAIL_BYTES = 12_000
const TIMING_BYTES_PER_STEP = 12
/** Pixels of the picture per latent, along an edge. */
const LATENT_SCALE = 8

/** @param timings finished units of earlier runs, in any order */
export function estimatePlan(units: readonly Unit[], timings: readonly RecordedTiming[] = []): PlanEstimate {
  const rates = msPerStepPixel(timings)
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
  return final + stepPictures * preview + (unit.executedSteps + 2) * TIMING_BYTES_PER_STEP
}

/** Mean ms a step by model and size; for another size of a known model, scaled by pixels. */
function msPerStepPixel(timings: readonly RecordedTiming[]): (unit: Unit) => number | undefined {
  const bySize = new Map<string, { ms: number; steps: number }>()
  const byModel = new Map<string, { ms: number; stepPixels: number }>()
  for (const { model, width, height, steps, durationMs } of timings) {
    if (steps < 1) continue
    const size = bySize.get(`${width}x${height} ${model}`) ?? { ms: 0, steps: 0 }
    bySize.set(`${width}x${height} ${model}`, { ms: size.ms + durationMs, steps: size.steps + steps })
    const all = byModel.get(model) ?? { ms: 0, stepPixels: 0 }
    byModel.set(model, { ms: all.ms + durationMs, stepPixels: all.stepPixels + steps * width * height })
  }
  return ({ model, width, height }) => {
    const size = bySize.get(`${width}x${height} ${model}`)
    if (size) return size.ms / size.steps
    const all = byModel.get(model)
    return all && (all.ms / all.stepPixels) * width * height
  }
}
