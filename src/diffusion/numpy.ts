/** The few functions of numpy that schedules are built with, rounding where numpy rounds. */

/** `np.linspace(start, stop, count)` in float64. */
export function linspace(start: number, stop: number, count: number): Float64Array {
  const values = new Float64Array(count)
  const step = count > 1 ? (stop - start) / (count - 1) : 0
  for (let i = 0; i < count; i++) values[i] = i * step + start
  if (count > 1) values[count - 1] = stop
  return values
}

/** `np.arange(start, 0, -step)` in float64: rounding may let it run one value longer than start / step. */
export function descend(start: number, step: number): Float64Array {
  const values = new Float64Array(Math.ceil(-start / -step))
  // numpy fills from the difference of the first two values, not from the step itself.
  const delta = start - step - start
  for (let i = 0; i < values.length; i++) values[i] = start + i * delta
  return values
}

/** `np.round`: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest < 0.5) return floor
  if (rest > 0.5) return floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/** `np.interp(x, np.arange(len(values)), values)` for one x: linear between the values, constant beyond them. */
export function linearInterpolation(x: number, values: ArrayLike<number>): number {
  const last = values.length - 1
  if (x <= 0) return values[0]!
  if (x >= last) return values[last]!
  const index = Math.floor(x)
  const low = values[index]!
  return (values[index + 1]! - low) * (x - index) + low
}
