/** A decoded picture. */
export interface RgbImage {
  /** RGB interleaved, row by row: width · height · 3 bytes. */
  readonly pixels: Uint8Array
  readonly width: number
  readonly height: number
}

export interface ImageSize {
  readonly width: number
  readonly height: number
}
