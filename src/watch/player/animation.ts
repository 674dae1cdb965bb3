/**
 * An animated WebP, frame by frame. Browsers play one in `<img>` alone, by a clock of their own: so its frames are taken out of the file
 * (RFC 9649, §2.7.1), each as a WebP of its own, and laid over one another as the file says.
 */
import type { Clip } from './clip.ts'

interface Piece {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  readonly durationMs: number
  /** Laid over what is there, or in its place. */
  readonly blends: boolean
  /** Whether its place is emptied when it is over. */
  readonly clears: boolean
  /** A WebP. */
  readonly file: Blob
}

const HEADER = 12
const FRAME_HEADER = 16
const HAS_ALPHA = 0x10

/** @throws TypeError for anything but an animated WebP */
function piecesOf(bytes: Uint8Array<ArrayBuffer>): readonly Piece[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const name = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4))
  const u24 = (at: number) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16)
  if (bytes.length < HEADER || name(0) !== 'RIFF' || name(8) !== 'WEBP') throw new TypeError('is no WebP')
  const pieces: Piece[] = []
  for (let at = HEADER; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true)
    const from = at + 8
    if (from + size > bytes.length) throw new TypeError('ends too early')
    if (name(at) === 'ANMF' && size > FRAME_HEADER) {
      const [width, height] = [u24(from + 6) + 1, u24(from + 9) + 1]
      const flags = view.getUint8(from + 15)
      pieces.push({
        ...{ left: 2 * u24(from), top: 2 * u24(from + 3), width, height, durationMs: u24(from + 12) },
        ...{ blends: (flags & 2) === 0, clears: (flags & 1) === 1 },
        file: asFile(bytes.subarray(from + FRAME_HEADER, from + size), width, height),
      })
    }
    at = from + size + (size & 1)
  }
  if (pieces.length === 0) throw new TypeError('is no animated WebP')
  return pieces
}

/** One frame's chunks behind a header that says how large it is, and that it may be transparent. */
function asFile(chunks: Uint8Array<ArrayBuffer>, width: number, height: number): Blob {
  const header = new Uint8Array(HEADER + 18)
  const view = new DataView(header.buffer)
  const write = (at: number, name: string) => {
    for (let i = 0; i < 4; i++) header[at + i] = name.charCodeAt(i)
  }
  write(0, 'RIFF')
  view.setUint32(4, header.length - 8 + chunks.length, true)
  write(8, 'WEBP')
  write(12, 'VP8X')
  view.setUint32(16, 10, true)
  header[20] = HAS_ALPHA
  for (const [at, side] of [
    [24, width - 1],
    [27, height - 1],
  ] as const) {
    view.setUint16(at, side & 0xffff, true)
    header[at + 2] = side >> 16
  }
  return new Blob([header, chunks], { type: 'image/webp' })
}

export interface AnimationOptions {
  readonly signal: AbortSignal
  /** Of the whole, in pixels. */
  readonly width: number
  readonly height: number
  /** Its frames together take at most about so much; beyond it they are kept smaller. */
  readonly memoryLimitBytes: number
}

/** All its frames, decoded; shown by the player's clock. */
export class AnimatedClip implements Clip {
  readonly durationMs: number
  readonly #pictures: readonly ImageBitmap[]
  /** When each is over. */
  readonly #endsMs: readonly number[]
  #anchor = { offsetMs: 0, atMs: 0, speed: 0 }

  private constructor(pictures: readonly ImageBitmap[], endsMs: readonly number[]) {
    this.#pictures = pictures
    this.#endsMs = endsMs
    this.durationMs = endsMs.at(-1) ?? 0
  }

  /** @throws Error where it cannot be had or is none */
  static async load(url: string, options: AnimationOptions): Promise<AnimatedClip> {
    const { signal, width, height, memoryLimitBytes } = options
    const response = await fetch(url, { signal })
    if (!response.ok) throw new Error('is not there')
    const pieces = piecesOf(new Uint8Array(await response.arrayBuffer()))
    const canvas = document.createElement('canvas')
    canvas.width = width
    canvas.height = height
    const context = canvas.getContext('2d')
    if (context === null) throw new Error('cannot be drawn')
    const scale = Math.min(1, Math.sqrt(memoryLimitBytes / (pieces.length * width * height * 4)))
    const resizeWidth = Math.max(1, Math.round(width * scale))
    const resize = scale < 1 ? { resizeWidth, resizeQuality: 'high' as const } : {}
    const pictures: ImageBitmap[] = []
    const endsMs: number[] = []
    try {
      for (const piece of pieces) {
        const place = [piece.left, piece.top, piece.width, piece.height] as const
        const bitmap = await createImageBitmap(piece.file)
        if (!piece.blends) context.clearRect(...place)
        context.drawImage(bitmap, piece.left, piece.top)
        bitmap.close()
        pictures.push(await createImageBitmap(canvas, resize))
        endsMs.push((endsMs.at(-1) ?? 0) + piece.durationMs)
        if (piece.clears) context.clearRect(...place)
        signal.throwIfAborted()
      }
    } catch (error) {
      for (const picture of pictures) picture.close()
      throw error
    }
    return new AnimatedClip(pictures, endsMs)
  }

  picture(): ImageBitmap | null {
    const { offsetMs, atMs, speed } = this.#anchor
    const positionMs = offsetMs + (performance.now() - atMs) * speed
    const index = this.#endsMs.findIndex((endMs) => positionMs < endMs)
    return this.#pictures.at(index) ?? null
  }

  follow(offsetMs: number, playing: boolean, speed: number): void {
    this.#anchor = { offsetMs, atMs: performance.now(), speed: playing ? speed : 0 }
  }

  close(): void {
    for (const picture of this.#pictures) picture.close()
  }
}
