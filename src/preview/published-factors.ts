/**
 * Linear latent-to-RGB factors that others have published, per latent space, for models without a `preview.json`.
 *
 * Source of all four tables: leejet/stable-diffusion.cpp, src/runtime/latent-preview.h, MIT licence,
 * Copyright (c) 2023 leejet. They are given for model-space latents and a result in −1 … 1.
 */
import type { LatentRgbFactors } from './latent-rgb.ts'

/** Stable Diffusion 1.x and 2.x, and LCMs made from them: 4 channels, scaling factor 0.18215. */
const SD: LatentRgbFactors = {
  factors: [
    [0.337366, 0.216344, 0.257386],
    [0.165636, 0.386828, 0.046994],
    [-0.267803, 0.237036, 0.223517],
    [-0.178022, -0.200862, -0.678514],
  ],
  bias: [-0.017478, -0.055834, -0.105825],
}

/** Stable Diffusion XL: 4 channels, scaling factor 0.13025. */
const SDXL: LatentRgbFactors = {
  factors: [
    [0.258303, 0.27764, 0.329699],
    [-0.299701, 0.105446, 0.014194],
    [0.050522, 0.186163, -0.143257],
    [-0.211938, -0.149892, -0.080036],
  ],
  bias: [0.144381, -0.033313, 0.007061],
}

/** Stable Diffusion 3 and 3.5: 16 channels. */
const SD3: LatentRgbFactors = {
  factors: [
    [-0.0645, 0.0177, 0.1052],
    [0.0028, 0.0312, 0.065],
    [0.1848, 0.0762, 0.036],
    [0.0944, 0.036, 0.0889],
    [0.0897, 0.0506, -0.0364],
    [-0.002, 0.1203, 0.0284],
    [0.0855, 0.0118, 0.0283],
    [-0.0539, 0.0658, 0.1047],
    [-0.0057, 0.0116, 0.07],
    [-0.0412, 0.0281, -0.0039],
    [0.1106, 0.1171, 0.122],
    [-0.0248, 0.0682, -0.0481],
    [0.0815, 0.0846, 0.1207],
    [-0.012, -0.0055, -0.0867],
    [-0.0749, -0.0634, -0.0456],
    [-0.1418, -0.1457, -0.1259],
  ],
  bias: [0, 0, 0],
}

/** FLUX.1: 16 channels, unpacked to [1, 16, h, w]. */
const FLUX: LatentRgbFactors = {
  factors: [
    [-0.041168, 0.019917, 0.097253],
    [0.028096, 0.02673, 0.129576],
    [0.065618, -0.06795, -0.014651],
    [-0.012998, -0.014762, 0.081251],
    [0.078567, 0.059296, -0.024687],
    [-0.015987, -0.003697, 0.005012],
    [0.033605, 0.138999, 0.068517],
    [-0.02445, -0.063567, -0.030101],
    [-0.040194, -0.01671, 0.127185],
    [0.112681, 0.088764, -0.04194],
    [-0.023498, 0.093664, 0.025543],
    [0.082899, 0.04832, 0.007491],
    [0.075712, 0.074139, 0.081965],
    [-0.143501, 0.018263, -0.136138],
    [-0.025767, -0.082035, -0.040023],
    [-0.111849, -0.055589, -0.032361],
  ],
  bias: [0.0246, -0.006937, -0.008089],
}

const BY_FAMILY: ReadonlyMap<string, LatentRgbFactors> = new Map([
  ['sd', SD],
  ['sdxl', SDXL],
  ['sd3', SD3],
  ['flux', FLUX],
  ['lcm', SD],
])

/** Half-way between the scaling factors of SDXL's latent space (0.13025) and SD 1.x's (0.18215). */
const SDXL_BELOW = 0.155

/**
 * The published factors of a family's latent space, or null.
 * @param vaeScalingFactor tells the two latent spaces of LCMs apart: those made from SDXL scale by 0.13025
 */
export function publishedFactors(family: string, vaeScalingFactor?: number): LatentRgbFactors | null {
  if (family === 'lcm' && vaeScalingFactor !== undefined && vaeScalingFactor < SDXL_BELOW) return SDXL
  return BY_FAMILY.get(family) ?? null
}
