import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { betaQuantile } from '../../src/diffusion/beta-quantile.ts'
import { createAlphasCumprod, createBetas } from '../../src/diffusion/noise-schedule.ts'
import { trailingTimesteps } from '../../src/diffusion/timestep-spacing.ts'

interface RecordedBetas {
  beta_schedule: string
  beta_start: number
  beta_end: number
  rescale_betas_zero_snr: boolean
  index: number[]
  betas: number[]
  alphas_cumprod: number[]
  sum_alphas_cumprod: number
}

const recorded: RecordedBetas[] = JSON.parse(
  readFileSync(new URL('../fixtures/schedulers/betas.json', import.meta.url), 'utf8'),
)

describe('betas and their running product', () => {
  it.each(recorded)('$beta_schedule $beta_start … $beta_end, zero SNR: $rescale_betas_zero_snr', (want) => {
    const settings = {
      numTrainTimesteps: 1000,
      betaStart: want.beta_start,
      betaEnd: want.beta_end,
      betaSchedule: want.beta_schedule,
      trainedBetas: null,
      rescaleBetasZeroSnr: want.rescale_betas_zero_snr,
    }
    const betas = createBetas(settings)
    const alphas = createAlphasCumprod(settings)
    // Rescaling takes roots, which torch rounds differently from one processor to the next.
    const tolerance = want.rescale_betas_zero_snr ? 5e-3 : 6e-9
    want.index.forEach((timestep, i) => {
      expect(Math.abs(betas[timestep]! - want.betas[i]!)).toBeLessThanOrEqual(tolerance * want.betas[i]!)
      const difference = Math.abs(alphas[timestep]! - want.alphas_cumprod[i]!)
      expect(difference).toBeLessThanOrEqual(want.rescale_betas_zero_snr ? 1e-6 : 1e-9)
    })
    const sum = alphas.reduce((total, alpha) => total + alpha, 0)
    expect(Math.abs(sum - want.sum_alphas_cumprod)).toBeLessThanOrEqual(1e-3)
  })

  it('takes trained betas as they are', () => {
    const settings = {
      numTrainTimesteps: 3,
      betaStart: 0,
      betaEnd: 0,
      betaSchedule: 'linear',
      trainedBetas: [0.25, 0.5, 0.5],
      rescaleBetasZeroSnr: false,
    }
    expect([...createAlphasCumprod(settings)]).toEqual([0.75, 0.375, 0.1875])
  })
})

describe('betaQuantile', () => {
  // scipy.stats.beta.ppf(q, 0.6, 0.6), scipy 1.17
  it.each([
    [0, 0],
    [1, 1],
    [0.5, 0.5],
    [0.25, 0.1756803786526961],
    [0.75, 0.8243196213473039],
    [0.8888888888888888, 0.9529081824509572],
    [0.9795918367346939, 0.9971734946740127],
  ])('of %f is %f', (q, want) => {
    expect(Math.abs(betaQuantile(q, 0.6, 0.6) - want)).toBeLessThanOrEqual(1e-14)
  })
})

describe('trailing timesteps', () => {
  it('come out one too many where 1000 / n rounds up, as they do in numpy', () => {
    expect(trailingTimesteps(1000, 60)).toHaveLength(60)
    expect(trailingTimesteps(1000, 61)).toHaveLength(62)
    expect(trailingTimesteps(1000, 61).at(-1)).toBe(-1)
  })
})
