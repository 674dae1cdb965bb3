/** The files of a unit, by name. Pure: writing, checking and uploading all go by this list. */
import {
  frameName,
  outputKindOf,
  POSTER_NAME,
  stepAnimationName,
  stepName,
  THUMBNAIL_NAME,
  TIMING_NAME,
} from '../artifacts/file-names.ts'
import type { Unit } from './unit.ts'

type Filed = Pick<Unit, 'output' | 'executedSteps' | 'previews' | 'thumbnail' | 'frames' | 'numFrames'>

/** Steps that have a picture: every, 2 × every, … and the last. Empty without previews. */
export function previewSteps(unit: Pick<Unit, 'executedSteps' | 'previews'>): readonly number[] {
  const { previews, executedSteps } = unit
  if (previews === null) return []
  const steps: number[] = []
  for (let step = previews.every; step < executedSteps; step += previews.every) steps.push(step)
  return executedSteps > 0 ? [...steps, executedSteps] : steps
}

/** Lists made already: the units of a sheet share few of them, and a plan asks for each again and again. */
const known = new Map<string, readonly string[]>()
const MAX_KNOWN = 1000

/**
 * Every file of a unit in the order in which it is written: step pictures, frames, the final file, the thumbnail, and last
 * timing.json, whose presence promises all the others.
 */
export function unitFiles(unit: Filed): readonly string[] {
  const frames = unit.frames === true ? unit.numFrames : 0
  const key = `${unit.output} ${unit.executedSteps} ${unit.previews?.every} ${unit.previews?.frames} ${unit.thumbnail} ${frames}`
  let files = known.get(key)
  if (files === undefined) {
    files = Object.freeze(listFiles(unit))
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(key, files)
  }
  return files
}

function listFiles(unit: Filed): string[] {
  const { name, encoder } = outputKindOf(unit.output)
  const frames = unit.frames === true ? (unit.numFrames ?? 0) : 0
  const isAnimated = unit.previews?.frames === 'animated'
  return [
    ...previewSteps(unit).flatMap(
      isAnimated ? (step) => [stepName(step), stepAnimationName(step)] : stepName,
    ),
    ...Array.from({ length: frames }, (_, index) => frameName(index + 1)),
    ...(encoder !== undefined ? [POSTER_NAME] : []),
    name,
    ...(unit.thumbnail ? [THUMBNAIL_NAME] : []),
    ...(unit.previews === null ? [] : [TIMING_NAME]),
  ]
}
