/** Rounding to IEEE 754 binary16, for draws that torch makes in half precision. */

const words = new Uint32Array(1)
const floats = new Float32Array(words.buffer)

/** The float16 nearest to the float32 `value` (ties to even), as a number. */
export function roundToFloat16(value: number): number {
  const magnitude = Math.abs(value)
  if (Number.isNaN(value)) return value
  if (magnitude >= 65520) return Math.sign(value) * Number.POSITIVE_INFINITY
  // Below 2^-14 the spacing is a fixed 2^-24.
  if (magnitude < 2 ** -14) return roundHalfEven(Math.fround(value) * 2 ** 24) * 2 ** -24
  floats[0] = value
  const bits = words[0]!
  // Keep 10 of float32's 23 mantissa bits; a carry into the exponent is the right result.
  const rounded = bits + 0xfff + ((bits >>> 13) & 1)
  words[0] = rounded & 0xffffe000
  return floats[0]
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest < 0.5) return floor
  if (rest > 0.5) return floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}
