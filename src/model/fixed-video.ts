/** Numbers of frames that an export of a video's model has built in, and what its parts are given whatever the sheet says. */
import type { VideoRules } from '../families/family.ts'
import type { ComponentName } from '../families/index.ts'
import { numberIn } from '../families/model-view.ts'
import type { Count, FixedDim } from './fixed-dims.ts'
import type { ModelFolder } from './folder.ts'
import { viewOf } from './view.ts'

export interface FixedVideo {
  /** Frames of a video, as each part has them built in. */
  readonly frames: readonly number[]
  readonly faults: readonly { readonly component: ComponentName; readonly message: string }[]
}

const NONE: FixedVideo = { frames: [], faults: [] }

export function fixedVideo(
  folder: ModelFolder,
  video: VideoRules | undefined,
  dims: readonly FixedDim[],
): FixedVideo {
  if (video === undefined) return NONE
  const view = viewOf(folder)
  const framesPerLatent = video.framesPerLatent(view)
  const { first, last } = video.keyframes(view)
  const frames: number[] = []
  const faults: { component: ComponentName; message: string }[] = []
  const mustBe = ({ component, size }: FixedDim, fed: number, what: string): void => {
    if (size === fed) return
    faults.push({ component, message: `${component} takes ${size} ${what} a call; pregen gives it ${fed}.` })
  }
  const of = (component: ComponentName, count: Count) =>
    dims.filter((dim) => dim.component === component && dim.count === count)

  const whole = (latentFrames: number): number => (latentFrames - 1) * framesPerLatent + 1
  for (const part of ['transformer', 'transformer_2'] as const) {
    frames.push(...of(part, 'latentFrames').map(({ size }) => whole(size)))
  }
  // A VAE that carries its past takes a video piece by piece, else all of it.
  const [decoder, encoder] = [of('vae_decoder', 'latentFrames'), of('vae_encoder', 'frames')]
  if (folder.components.vae_decoder_with_past === undefined) {
    frames.push(...decoder.map(({ size }) => whole(size)))
  } else {
    for (const dim of [...decoder, ...of('vae_decoder_with_past', 'latentFrames')]) {
      mustBe(dim, 1, 'latent frames')
    }
  }
  // Where a picture is optional, and no video is taken, the encoder sees that picture alone.
  const seesPicture = first === 'optional' && !video.startsFromVideo(view)
  if (folder.components.vae_encoder_with_past === undefined && !seesPicture) {
    frames.push(...encoder.map(({ size }) => size))
  } else {
    for (const dim of encoder) mustBe(dim, 1, 'frames')
    for (const dim of of('vae_encoder_with_past', 'frames')) mustBe(dim, framesPerLatent, 'frames')
  }

  const shown = [first, last].filter((use) => use === 'needed').length
  // One at a time does as well.
  for (const dim of of('image_encoder', 'shown').filter(({ size }) => size > 1))
    mustBe(dim, shown, 'pictures')
  for (const dim of of('transformer', 'shown')) mustBe(dim, shown, 'pictures of CLIP')
  const side = numberIn(view, 'image_encoder', 'image_size')
  for (const { component, size } of of('image_encoder', 'side')) {
    if (side === undefined || size === side) continue
    faults.push({
      component,
      message: `${component} takes pictures of ${size} pixels; its config says ${side}.`,
    })
  }
  return { frames, faults: faults.filter(({ message }, index) => isFirst(faults, message, index)) }
}

/** Inputs and outputs of one part say the same. */
function isFirst(faults: readonly { readonly message: string }[], message: string, index: number): boolean {
  return faults.findIndex((fault) => fault.message === message) === index
}
