/** How far two pictures are apart, value by value. */
import { loadSharp } from '../images/load-sharp.ts'

export interface PictureDifference {
  /** Largest difference of a channel value, 0 … 255; 255 for pictures of different sizes. */
  readonly largest: number
  /** Share of the channel values that differ at all, 0 … 1. */
  readonly share: number
}

export async function comparePngs(a: Uint8Array, b: Uint8Array): Promise<PictureDifference> {
  if (Buffer.compare(a, b) === 0) return { largest: 0, share: 0 }
  const sharp = await loadSharp()
  const [one, other] = await Promise.all(
    [a, b].map((png) => sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true })),
  )
  if (!one || !other || one.info.width !== other.info.width || one.info.height !== other.info.height) {
    return { largest: 255, share: 1 }
  }
  let largest = 0
  let differing = 0
  for (let i = 0; i < one.data.length; i++) {
    const distance = Math.abs(one.data[i]! - other.data[i]!)
    if (distance > largest) largest = distance
    if (distance > 0) differing++
  }
  return { largest, share: differing / one.data.length }
}
