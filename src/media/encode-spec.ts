/** What every way of encoding is told, and what it gives. */
import { PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { FrameRate } from './frame-rate.ts'

export interface FrameSize {
  readonly width: number
  readonly height: number
}

export interface VideoWriter {
  /**
   * Takes the next frame; resolves when the encoder has it, so that whoever waits never runs ahead of it. A picture that
   * stands still may be handed over again and again: the same object costs next to nothing.
   * @param frame of the writer's size
   */
  write(frame: RgbImage): Promise<void>
  /** Writes what is left; the file is whole then. */
  end(): Promise<void>
  /** Gives up; what stands at the path is of no use. Does nothing after `end` or a second time. */
  abort(): Promise<void>
}

export interface EncodeSpec extends FrameSize {
  /** A file that may be made or replaced. */
  readonly path: string
  readonly frameRate: FrameRate
  readonly signal?: AbortSignal | undefined
}

/** @throws RangeError */
export function assertSize(frame: RgbImage, { width, height }: FrameSize): void {
  if (frame.width === width && frame.height === height && frame.rgb.byteLength === width * height * 3) return
  throw new RangeError(`a frame of ${frame.width} × ${frame.height} in a video of ${width} × ${height}`)
}

/** `why` as FFmpeg says it. */
export function encoderFailed(encoder: string, why: string, cause?: unknown): PregenError {
  return new PregenError('E_ENCODER_FAILED', `${encoder} gave up: ${why}`, {
    help: 'See that there is space left, then run the same command again.',
    cause,
    exitCode: 3,
  })
}
