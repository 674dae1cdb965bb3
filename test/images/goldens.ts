import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RgbImage } from '../../src/tensor/rgb-image.ts'

export const fixtures = join(import.meta.dirname, '../fixtures/images')

type Size = readonly [width: number, height: number]

/** Made by test/fixtures/images/make_goldens.py with Pillow, numpy and diffusers. */
export const goldens = JSON.parse(readFileSync(join(fixtures, 'goldens.json'), 'utf8')) as {
  readonly decoded: {
    readonly file: string
    readonly width: number
    readonly height: number
    readonly sha256: string
  }[]
  readonly resized: { readonly source: Size; readonly target: Size; readonly sha256: string }[]
  readonly fitted: {
    readonly source: Size
    readonly target: Size
    readonly fill: string
    readonly cover: string
    readonly contain: string
  }[]
  readonly modelInput: { readonly ramp: number[]; readonly noise24x16: string }
}

/** The picture that make_goldens.py's `noise` makes: hard edges and clipped values everywhere. */
export function noise(width: number, height: number): RgbImage {
  let state = width * 65536 + height
  const rgb = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const byte = state >>> 24
    return byte < 85 ? 0 : byte >= 170 ? 255 : (byte - 85) * 3
  })
  return { rgb, width, height }
}

export function sha256(bytes: Uint8Array | Float32Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
