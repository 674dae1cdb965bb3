/** First and last picture of a video as its model is given them: at the size of the video, and as its CLIP is shown them. */
import type { PictureJob } from '../engine/inference-calls.ts'
import type { InitImage } from '../plan/unit.ts'
import { changedSincePlan, isRemote, notFetched } from './check-init-images.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'

type Keyframe = NonNullable<PictureJob['keyframes']>[number]

export interface Keyframes {
  /**
   * Neighbours may share the arrays: they must not be changed. undefined: the unit has none.
   * @throws PregenError `E_IMAGE_CHANGED`, `E_IMAGE_…`
   */
  readonly load: (entry: PreparedUnit, model: PreparedModel) => Promise<readonly Keyframe[] | undefined>
}

interface Loaded {
  readonly key: string
  readonly sha256: string
  readonly keyframe: Keyframe
}

/**
 * @param remoteImages whether images behind URLs may be fetched
 * @param signal aborted: what is being fetched is given up
 */
export function createKeyframes(
  allowPrivate: boolean,
  remoteImages: 'fetch' | 'refuse' | 'skip' = 'fetch',
  signal?: AbortSignal,
): Keyframes {
  // Neighbours in a sheet mostly share their pictures: the last ones are kept.
  const last = new Map<Keyframe['at'], Loaded>()

  const load = async (
    at: Keyframe['at'],
    image: InitImage,
    { unit }: PreparedUnit,
    { facts }: PreparedModel,
  ): Promise<Loaded> => {
    if (remoteImages !== 'fetch' && isRemote(image.source)) throw notFetched(unit)
    const { width, height } = unit
    const vision = facts.video?.vision ?? null
    const key = JSON.stringify([image, width, height, vision])
    const known = last.get(at)
    if (known?.key === key) return known
    const { loadKeyframe } = await import('../images/keyframe.ts')
    const { sha256, pixels, shown } = await loadKeyframe({
      ...image,
      width,
      height,
      vision,
      allowPrivate,
      signal,
    })
    const loaded = { key, sha256, keyframe: { at, pixels, vision: shown } }
    last.set(at, loaded)
    return loaded
  }

  return {
    async load(entry, model) {
      const { unit, parts } = entry
      const keyframes: Keyframe[] = []
      const given = [
        ['first', unit.image, parts.imageSha256],
        ['last', unit.lastImage, parts.lastImageSha256],
      ] as const
      for (const [at, image, planned] of given) {
        if (image === undefined) continue
        const { sha256, keyframe } = await load(at, image, entry, model)
        // The unit's digest was made of the bytes that were planned with: other bytes under it would be a lie.
        if (sha256 !== planned) throw changedSincePlan(at === 'first' ? 'The init image' : 'The last image')
        keyframes.push(keyframe)
      }
      return keyframes.length === 0 ? undefined : keyframes
    },
  }
}
