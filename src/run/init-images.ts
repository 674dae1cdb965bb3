/** Init images as the model reads them. Checked before the run; loaded again when their unit's turn comes. */
import { loadInitImage, toModelInput } from '../images/init-image.ts'
import type { Unit } from '../plan/unit.ts'

export interface InitImages {
  /** [3, height, width] in −1 … 1. @throws PregenError when the source went away or changed kind */
  readonly load: (unit: Unit) => Promise<Float32Array>
}

export function createInitImages(allowPrivate: boolean): InitImages {
  // Neighbours in a sheet mostly share their picture: the last one is kept.
  let last: { readonly key: string; readonly pixels: Promise<Float32Array> } | null = null
  return {
    async load({ image, width, height }) {
      if (image === undefined) throw new Error('the unit has no init image')
      const key = JSON.stringify([image, width, height])
      if (last?.key !== key) {
        const pixels = loadInitImage({ ...image, width, height, allowPrivate }).then(toModelInput)
        last = { key, pixels }
      }
      // A copy: the worker takes the array over.
      return (await last.pixels).slice()
    },
  }
}
