const fround = Math.fround

/**
 * Solves matrix · x = rhs by Gaussian elimination with partial pivoting, in float32 as LAPACK's sgesv.
 * @param matrix size × size, row-major; overwritten
 * @param rhs overwritten by x
 */
export function solveLinear(matrix: Float32Array, rhs: Float32Array, size: number): void {
  for (let column = 0; column < size; column++) {
    let pivot = column
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(matrix[row * size + column]!) > Math.abs(matrix[pivot * size + column]!)) pivot = row
    }
    if (pivot !== column) swapRows(matrix, rhs, size, [pivot, column])
    for (let row = column + 1; row < size; row++) {
      const factor = fround(matrix[row * size + column]! / matrix[column * size + column]!)
      for (let k = column; k < size; k++) {
        matrix[row * size + k] = matrix[row * size + k]! - fround(factor * matrix[column * size + k]!)
      }
      rhs[row] = rhs[row]! - fround(factor * rhs[column]!)
    }
  }
  for (let row = size - 1; row >= 0; row--) {
    let rest = rhs[row]!
    for (let k = row + 1; k < size; k++) rest = fround(rest - fround(matrix[row * size + k]! * rhs[k]!))
    rhs[row] = rest / matrix[row * size + row]!
  }
}

function swapRows(
  matrix: Float32Array,
  rhs: Float32Array,
  size: number,
  [a, b]: readonly [number, number],
): void {
  for (let k = 0; k < size; k++) {
    const value = matrix[a * size + k]!
    matrix[a * size + k] = matrix[b * size + k]!
    matrix[b * size + k] = value
  }
  const value = rhs[a]!
  rhs[a] = rhs[b]!
  rhs[b] = value
}
