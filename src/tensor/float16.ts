/** IEEE 754 half precision as raw 16-bit patterns, the form in which ONNX Runtime takes and gives it on every Node. */

const scratchFloat = new Float32Array(1)
const scratchBits = new Uint32Array(scratchFloat.buffer)

/** All 65,536 halves as floats, made on first use: reading one is then a table look-up. */
let halfToFloatTable: Float32Array | undefined

/**
 * The half nearest to `value`, ties to even, as IEEE 754 and torch round; beyond 65,504 it is infinite.
 * @returns the bit pattern, 0 … 65,535
 */
export function toFloat16(value: number): number {
  scratchFloat[0] = value
  const bits = scratchBits[0]!
  const sign = (bits >>> 16) & 0x8000
  const exponent = (bits >>> 23) & 0xff
  const mantissa = bits & 0x7fffff
  if (exponent === 0xff) return sign | (mantissa === 0 ? 0x7c00 : 0x7e00)
  const halfExponent = exponent - 112
  if (halfExponent >= 31) return sign | 0x7c00
  if (halfExponent <= 0) {
    if (halfExponent < -10) return sign
    const shift = 14 - halfExponent
    return sign | roundShift(mantissa | 0x800000, shift)
  }
  // A mantissa that rounds up to 2^10 carries into the exponent, up to infinity, by plain addition.
  return sign | ((halfExponent << 10) + roundShift(mantissa, 13))
}

/** `value / 2^shift`, ties to even. */
function roundShift(value: number, shift: number): number {
  const quotient = value >>> shift
  const rest = value - quotient * 2 ** shift
  const half = 2 ** (shift - 1)
  return rest > half || (rest === half && (quotient & 1) === 1) ? quotient + 1 : quotient
}

/** @param bits a half's bit pattern, 0 … 65,535 */
export function fromFloat16(bits: number): number {
  halfToFloatTable ??= buildTable()
  return halfToFloatTable[bits]!
}

function buildTable(): Float32Array {
  const table = new Float32Array(65_536)
  for (let bits = 0; bits < 65_536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >>> 10) & 0x1f
    const mantissa = bits & 0x3ff
    if (exponent === 31) table[bits] = mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
    else if (exponent === 0) table[bits] = sign * mantissa * 2 ** -24
    else table[bits] = sign * (1024 + mantissa) * 2 ** (exponent - 25)
  }
  return table
}

/** The value of half precision that is nearest to `value`. */
export function halfOf(value: number): number {
  return fromFloat16(toFloat16(value))
}

/** Puts every value on half precision's grid, in place. @returns `values` */
export function roundToHalves(values: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = fromFloat16(toFloat16(values[i]!))
  return values
}

/** Writes `source` as halves into `out` from `offset` on. */
export function writeFloat16(source: ArrayLike<number>, out: Uint16Array, offset = 0): void {
  for (let i = 0; i < source.length; i++) out[offset + i] = toFloat16(source[i]!)
}

/** Writes halves as floats; `out` must be at least as long as `source`. */
export function readFloat16(source: Uint16Array, out: Float32Array): Float32Array {
  halfToFloatTable ??= buildTable()
  for (let i = 0; i < source.length; i++) out[i] = halfToFloatTable[source[i]!]!
  return out
}
