/** Init images as the model reads them. Checked before the run; loaded again when their unit's turn comes. */
import { loadInitImage, toModelInput } from '../images/init-image.ts'
import { changedSincePlan, isRemote, notFetched } from './check-init-images.ts'
import type { PreparedUnit } from './prepared.ts'

export interface InitImages {
  /**
   * [3, height, width] in −1 … 1. Neighbours may share the array: it must not be changed.
   * @throws PregenError `E_IMAGE_CHANGED` when the source is not what was planned with, `E_IMAGE_…` when it went away
   */
  readonly load: (entry: PreparedUnit) => Promise<Float32Array>
}

interface Loaded {
  readonly key: string
  readonly sha256: string
  readonly pixels: Float32Array
}

/**
 * @param remoteImages whether images behind URLs may be fetched
 * @param signal aborted: what is being fetched is given up
 */
export function createInitImages(
  allowPrivate: boolean,
  remoteImages: 'fetch' | 'refuse' | 'skip' = 'fetch',
  signal?: AbortSignal,
): InitImages {
  // Neighbours in a sheet mostly share their picture: the last one is kept.
  let last: Loaded | null = null
  return {
    async load({ unit, parts }) {
      const { image, width, height } = unit
      if (image === undefined) throw new Error('the unit has no init image')
      if (remoteImages !== 'fetch' && isRemote(image.source)) throw notFetched(unit)
      const key = JSON.stringify([image, width, height])
      if (last?.key !== key) {
        const loaded = await loadInitImage({ ...image, width, height, allowPrivate, signal })
        last = { key, sha256: loaded.sha256, pixels: toModelInput(loaded) }
      }
      // The unit's digest was made of the bytes that were planned with: other bytes under it would be a lie.
      if (last.sha256 !== parts.imageSha256) {
        throw changedSincePlan('The init image')
      }
      return last.pixels
    },
  }
}
