/** The quantile function of the Beta distribution, as `scipy.stats.beta.ppf`. */

const MAX_TERMS = 400
const MAX_ITERATIONS = 200

/**
 * x in 0 … 1 with I_x(a, b) = q, to about 1e-14.
 * @param q 0 … 1
 */
export function betaQuantile(q: number, a: number, b: number): number {
  if (q <= 0) return 0
  if (q >= 1) return 1
  // Solve in the half where the power series converges fast; the other half follows by symmetry.
  return q <= regularizedBeta(0.5, a, b) ? lowerQuantile(q, a, b) : 1 - lowerQuantile(1 - q, b, a)
}

/** Newton's iteration on 0 … 0.5, kept inside a shrinking bracket. */
function lowerQuantile(q: number, a: number, b: number): number {
  const completeBeta = Math.exp(logGamma(a) + logGamma(b) - logGamma(a + b))
  let low = 0
  let high = 0.5
  let x = Math.min((q * a * completeBeta) ** (1 / a), 0.5)
  for (let i = 0; i < MAX_ITERATIONS; i++) {
    const excess = regularizedBeta(x, a, b) - q
    if (excess > 0) high = x
    else low = x
    const density = (x ** (a - 1) * (1 - x) ** (b - 1)) / completeBeta
    const newton = x - excess / density
    const next = newton > low && newton < high ? newton : (low + high) / 2
    if (Math.abs(next - x) <= 1e-16 * x) return next
    x = next
  }
  return x
}

/** I_x(a, b) for x ≤ 0.5: xᵃ/(a·B) · Σ (1 − b)ₙ·a·xⁿ / (n!·(a + n)). Abramowitz & Stegun 26.5.4's series. */
function regularizedBeta(x: number, a: number, b: number): number {
  let coefficient = 1
  let sum = 1
  for (let n = 1; n < MAX_TERMS; n++) {
    coefficient *= ((n - b) / n) * x
    const term = (coefficient * a) / (a + n)
    sum += term
    if (Math.abs(term) < 1e-18 * Math.abs(sum)) break
  }
  const completeBeta = Math.exp(logGamma(a) + logGamma(b) - logGamma(a + b))
  return (x ** a / (a * completeBeta)) * sum
}

/** ln Γ(x), x > 0: Stirling's series after shifting x above 10. */
function logGamma(x: number): number {
  let shift = 0
  let z = x
  while (z < 10) {
    shift += Math.log(z)
    z += 1
  }
  const inverse = 1 / (z * z)
  const series =
    (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / z
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift
}
