import { halfOf } from '../tensor/float16.ts'

/**
 * What models of flows are fed: t / 1000. diffusers first rounds t to the latents' precision, which in halves moves it by
 * up to a quarter of a training timestep.
 */
export function fedThousandth(timestep: number, half: boolean): number {
  return half ? halfOf(halfOf(timestep) / 1000) : timestep / 1000
}
