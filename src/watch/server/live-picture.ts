/** The JPEG of a step: made once, outside the main thread, whatever the number of those who look. */
import { PICTURE_BYTES, readFileInside } from '../../artifacts/confined-files.ts'
import type { Confinement } from '../../artifacts/confinement.ts'
import { errorCode, PregenError } from '../../errors.ts'
import { loadSharp } from '../../images/load-sharp.ts'

export interface LivePictureOptions {
  /** JPEG quality, 1 to 100. */
  readonly quality: number
  /** Longest edge, pixels. */
  readonly size: number
}

export class LivePictures {
  readonly #inside: Confinement
  readonly #options: LivePictureOptions
  readonly #made = new Map<string, Promise<Buffer | null>>()
  /** Pictures that were encoded, for those who count. */
  encodes = 0

  constructor(inside: Confinement, options: LivePictureOptions) {
    this.#inside = inside
    this.#options = options
  }

  /** @param path of a PNG in the output folder. @returns null where it is gone, or is no picture */
  get(path: string, id: string): Promise<Buffer | null> {
    const known = this.#made.get(id)
    if (known !== undefined) return known
    const made = this.#make(path)
    this.#made.set(id, made)
    // The newest few are enough for those who come late.
    for (const old of [...this.#made.keys()].slice(0, -4)) this.#made.delete(old)
    return made
  }

  async #make(path: string): Promise<Buffer | null> {
    try {
      const { bytes } = await readFileInside(this.#inside, path, PICTURE_BYTES)
      const sharp = await loadSharp()
      const { quality, size } = this.#options
      const fit = { width: size, height: size, fit: 'inside', withoutEnlargement: true } as const
      const jpeg = await sharp(bytes).resize(fit).flatten().jpeg({ quality }).toBuffer()
      this.encodes += 1
      return jpeg
    } catch (error) {
      if (error instanceof PregenError || errorCode(error) !== undefined) return null
      // sharp's own faults carry no code: the file is no picture.
      if (
        error instanceof Error &&
        /unsupported image|Input (?:buffer|file)|corrupt|VipsJpeg|pngload/i.test(error.message)
      )
        return null
      throw error
    }
  }
}
