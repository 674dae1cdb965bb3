/** Says where a sheet asks a model for sizes that it was not trained for. Pure; `model/` reads them from disk. */
import { type Unit, unitName } from './unit.ts'

/** The sizes that a model has learned; null where its folder does not say. */
export interface TrainedSizes {
  /** Pixels of the shorter side, at least. */
  readonly minSide: number | null
  /** Pixels of the longer side, at most. */
  readonly maxSide: number | null
  /** Width × height, at most. */
  readonly maxPixels: number | null
}

export interface SizeWarning {
  readonly code: 'W_SIZE_UNTRAINED'
  readonly message: string
}

/**
 * @param trained by model id; a model that is not there, or null, has no say
 * @returns one warning for each model of which some unit asks for more, or less, than it has learned
 */
export function warnOfSizes(
  units: readonly Unit[],
  trained: ReadonlyMap<string, TrainedSizes | null>,
): SizeWarning[] {
  return [...trained].flatMap(([model, sizes]) => {
    if (sizes === null) return []
    const beyond = units.filter((unit) => unit.model === model && !holds(sizes, unit))
    const [first] = beyond
    if (first === undefined) return []
    const count = beyond.length === 1 ? '1 unit asks' : `${beyond.length} units ask`
    const example = `${unitName(first)} (${first.width} × ${first.height})`
    const message =
      `The model "${model}" was trained for ${describe(sizes)}; ${count} for another size, such as ${example}. ` +
      'It is drawn all the same, but may repeat itself or come apart.'
    return [{ code: 'W_SIZE_UNTRAINED', message }]
  })
}

function holds({ minSide, maxSide, maxPixels }: TrainedSizes, { width, height }: Unit): boolean {
  return (
    Math.min(width, height) >= (minSide ?? 0) &&
    Math.max(width, height) <= (maxSide ?? Number.POSITIVE_INFINITY) &&
    width * height <= (maxPixels ?? Number.POSITIVE_INFINITY)
  )
}

function describe({ minSide, maxSide, maxPixels }: TrainedSizes): string {
  const sides = [
    ...(minSide === null ? [] : [`at least ${minSide}`]),
    ...(maxSide === null ? [] : [`at most ${maxSide}`]),
  ]
  return [
    ...(sides.length === 0 ? [] : [`${sides.join(' and ')} pixels a side`]),
    ...(maxPixels === null ? [] : [`at most ${maxPixels} pixels in all`]),
  ].join(', ')
}
