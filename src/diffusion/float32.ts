/** Scalar functions of torch's float32 tensors: each result is rounded. */

const fround = Math.fround

export const exp32 = (x: number): number => fround(Math.exp(x))
export const expm1_32 = (x: number): number => fround(Math.expm1(x))
export const log32 = (x: number): number => fround(Math.log(x))
export const sqrt32 = (x: number): number => fround(Math.sqrt(x))
