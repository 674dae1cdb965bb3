/**
 * The noise that a model was trained with: betas and the running product of 1 − beta, in float32 as torch
 * computes them (the product is kept in double and rounded at each entry).
 * Source: diffusers' scheduling_ddpm.py and the same lines in its other discrete schedulers.
 */

const fround = Math.fround

export interface NoiseScheduleSettings {
  readonly numTrainTimesteps: number
  readonly betaStart: number
  readonly betaEnd: number
  readonly betaSchedule: string
  /** Overrides the schedule where given. */
  readonly trainedBetas: readonly number[] | null
  readonly rescaleBetasZeroSnr: boolean
}

/** The betas of the training schedule, one a training timestep. */
export function createBetas(settings: NoiseScheduleSettings): Float32Array {
  const betas = settings.trainedBetas ? Float32Array.from(settings.trainedBetas) : betasOfSchedule(settings)
  return settings.rescaleBetasZeroSnr ? rescaleZeroTerminalSnr(betas) : betas
}

/** ᾱ, one a training timestep: how much of the picture's variance is left. */
export function createAlphasCumprod(settings: NoiseScheduleSettings): Float32Array {
  return cumulativeAlphas(createBetas(settings))
}

/** σ = √((1 − ᾱ) / ᾱ), the noise level of each training timestep when the picture has unit scale. */
export function trainingSigmas(alphasCumprod: Float32Array): Float32Array {
  return alphasCumprod.map((alpha) => Math.sqrt(fround(fround(1 - alpha) / alpha)))
}

/** `torch.linspace` in float32: counted up from the start in the first half, down from the end in the second. */
export function linspaceFloat32(start: number, end: number, count: number): Float32Array {
  const values = new Float32Array(count)
  const first = fround(start)
  const last = fround(end)
  if (count === 1) values[0] = first
  if (count < 2) return values
  const step = fround(fround(last - first) / (count - 1))
  const half = Math.floor(count / 2)
  for (let i = 0; i < count; i++) {
    values[i] = i < half ? first + step * i : last - step * (count - 1 - i)
  }
  return values
}

function betasOfSchedule(settings: NoiseScheduleSettings): Float32Array {
  const { numTrainTimesteps: count, betaStart, betaEnd } = settings
  switch (settings.betaSchedule) {
    case 'linear':
      return linspaceFloat32(betaStart, betaEnd, count)
    case 'scaled_linear':
      return linspaceFloat32(Math.sqrt(betaStart), Math.sqrt(betaEnd), count).map((root) => root * root)
    case 'squaredcos_cap_v2':
      return betasOfAlphaBar(count, (t) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2)
    case 'exp':
      return betasOfAlphaBar(count, (t) => Math.exp(t * -12))
    case 'laplace':
      return betasOfAlphaBar(count, laplaceAlphaBar)
    case 'sigmoid':
      return linspaceFloat32(-6, 6, count).map((x) => {
        const sigmoid = fround(1 / (1 + Math.exp(-x)))
        return fround(sigmoid * fround(betaEnd - betaStart)) + fround(betaStart)
      })
    default:
      throw new RangeError(`no beta schedule is called "${settings.betaSchedule}"`)
  }
}

function laplaceAlphaBar(t: number): number {
  const sign = 0.5 - t < 0 ? -1 : 1
  const logSnr = -0.5 * sign * Math.log(1 - 2 * Math.abs(0.5 - t) + 1e-6)
  const snr = Math.exp(logSnr)
  return Math.sqrt(snr / (1 + snr))
}

/** Betas whose running product follows a given ᾱ(t), t in 0 … 1, each at most 0.999. */
function betasOfAlphaBar(count: number, alphaBar: (t: number) => number): Float32Array {
  const betas = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    betas[i] = Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), 0.999)
  }
  return betas
}

function cumulativeAlphas(betas: Float32Array): Float32Array {
  let product = 1
  return betas.map((beta) => {
    product *= fround(1 - beta)
    return product
  })
}

/** Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, algorithm 1. */
function rescaleZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeAlphas(betas).map(Math.sqrt)
  const first = roots[0]!
  const last = roots[roots.length - 1]!
  const scale = fround(first / fround(first - last))
  const alphaBars = roots.map((root) => {
    const shifted = fround(fround(root - last) * scale)
    return shifted * shifted
  })
  return alphaBars.map((alphaBar, i) => 1 - (i === 0 ? alphaBar : fround(alphaBar / alphaBars[i - 1]!)))
}
