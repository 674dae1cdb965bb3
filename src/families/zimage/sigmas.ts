const fround = Math.fround

/**
 * n values from 1 down to 1/n as torch.linspace spaces them in float32: from both ends towards the middle (ATen,
 * RangeFactoriesKernel.cpp), each product and sum rounded once.
 */
export function descendingFloats(steps: number): number[] {
  if (steps === 1) return [1]
  const last = fround(1 / steps)
  const step = fround(fround(last - 1) / (steps - 1))
  const half = Math.floor(steps / 2)
  return Array.from({ length: steps }, (_, i) =>
    i < half ? fround(1 + step * i) : fround(last - step * (steps - i - 1)),
  )
}
