/** Init images and masks as the model reads them. Checked before the run; loaded again when their unit's turn comes. */
import type { PictureJob } from '../engine/inference-calls.ts'
import { loadInitImage, toModelInput } from '../images/init-image.ts'
import { changedSincePlan, isRemote, notFetched } from './check-init-images.ts'
import type { PreparedUnit } from './prepared.ts'

/** What a unit's drawing starts from; both absent where it starts from noise alone. */
export type UnitPixels = Pick<PictureJob, 'initImage' | 'mask'>

export interface InitImages {
  /**
   * Neighbours may share the arrays: they must not be changed.
   * @throws PregenError `E_IMAGE_CHANGED` when a source is not what was planned with, `E_IMAGE_…` when it went away
   */
  readonly load: (entry: PreparedUnit) => Promise<UnitPixels>
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
  const loadPixels = keepingLast(async (request) => {
    const loaded = await loadInitImage({ ...request, allowPrivate, signal })
    return { sha256: loaded.sha256, values: toModelInput(loaded) }
  })
  const loadMaskValues = keepingLast(async (request) => {
    const { loadMask } = await import('../images/mask.ts')
    return loadMask({ ...request, allowPrivate, signal })
  })
  return {
    async load({ unit, parts }) {
      const { image, mask, width, height } = unit
      if (image === undefined) return { initImage: undefined }
      const sources = mask === undefined ? [image.source] : [image.source, mask]
      if (remoteImages !== 'fetch' && sources.some(isRemote)) throw notFetched(unit)
      const size = { width, height, fit: image.fit }
      const pixels = await loadPixels({ ...size, source: image.source })
      // The unit's digest was made of the bytes that were planned with: other bytes under it would be a lie.
      if (pixels.sha256 !== parts.imageSha256) throw changedSincePlan('The init image')
      if (mask === undefined) return { initImage: pixels.values }
      const loaded = await loadMaskValues({ ...size, source: mask })
      if (loaded.sha256 !== parts.maskSha256) throw changedSincePlan('The mask')
      return { initImage: pixels.values, mask: loaded.values }
    },
  }
}

type Request = Pick<Parameters<typeof loadInitImage>[0], 'source' | 'width' | 'height' | 'fit'>

interface Loaded {
  readonly sha256: string
  readonly values: Float32Array
}

/** Neighbours in a sheet mostly share their picture: the last one is kept. */
function keepingLast(load: (request: Request) => Promise<Loaded>): (request: Request) => Promise<Loaded> {
  let last: { readonly key: string; readonly loaded: Loaded } | null = null
  return async (request) => {
    const key = JSON.stringify(request)
    if (last?.key !== key) last = { key, loaded: await load(request) }
    return last.loaded
  }
}
