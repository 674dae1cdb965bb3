/** Shapes of a model's outputs, held to the plan: a model that gives more than was asked for gets none of it copied. */
import { PregenError } from '../errors.ts'

/** By output: its size along each axis, null where it is free. */
export type OutputShapes = Readonly<Record<string, readonly (number | null)[]>>

/**
 * @param dimsOf what the model declares (a name for a free axis, nothing where it leaves the shape out), or gave
 * @throws PregenError E_OUTPUT_SHAPE
 */
export function requireShapes(
  label: string,
  shapes: OutputShapes,
  dimsOf: (name: string) => readonly (number | string)[] | undefined,
): void {
  for (const [name, wanted] of Object.entries(shapes)) {
    const dims = dimsOf(name)
    if (dims === undefined || (dims.length === 0 && wanted.length > 0)) continue
    const fits =
      dims.length === wanted.length &&
      wanted.every((size, axis) => size === null || typeof dims[axis] !== 'number' || dims[axis] === size)
    if (fits) continue
    const what = `${label}: ${name} has the shape [${dims.join(', ')}], not [${wanted.map((size) => size ?? 'any').join(', ')}].`
    throw new PregenError('E_OUTPUT_SHAPE', what, {
      help: 'The model makes something else than its configs say: take all of its parts from one export.',
      exitCode: 3,
    })
  }
}
