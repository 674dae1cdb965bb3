/** Where the frames of one video go as they are decoded: into files, and to the encoder of the video. In order, one at a time. */
import type { DurableFile } from '../artifacts/durable-file.ts'
import { encodePng } from '../artifacts/png.ts'
import type { VariantWriter } from '../artifacts/variant-writer.ts'
import { parseFrameRate } from '../media/frame-rate.ts'
import type { VideoFormat } from '../media/video-formats.ts'
import type { VideoWriter, VideoWriterOptions } from '../media/video-writer.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'

export interface FrameSink {
  /**
   * Resolves when the frame is on its way, so that the device waits where disk or encoder are slower. Never rejects: `end` tells.
   * @param frame from 1
   */
  readonly write: (frame: number, image: RgbImage) => Promise<void>
  /** The video is whole. @throws what went wrong with any of its frames */
  readonly end: () => Promise<void>
  /** Gives up what was begun; the next frame begins anew. Never rejects. */
  readonly abandon: () => Promise<void>
}

export interface FrameSinkOptions {
  /** The variant's folder, opened when the first frame comes. */
  readonly writer: () => Promise<VariantWriter>
  readonly openVideo: (options: VideoWriterOptions) => Promise<VideoWriter>
  readonly format: VideoFormat
  readonly fps: number
  /** Whether each frame is a file, too. */
  readonly keepsFrames: boolean
}

interface OpenVideo {
  readonly file: DurableFile
  readonly video: VideoWriter
}

// Frames are many: a quick encoding leaves the cores to the decoder.
const FRAME_COMPRESSION = 2

export function createFrameSink(options: FrameSinkOptions): FrameSink {
  const { writer, openVideo, format, fps, keepsFrames } = options
  let opened: OpenVideo | null = null
  let failure: { readonly reason: unknown } | null = null
  let tail: Promise<void> = Promise.resolve()

  const open = async ({ width, height }: RgbImage): Promise<OpenVideo> => {
    const file = (await writer()).beginFinal()
    try {
      const frameRate = parseFrameRate(fps)
      const video = await openVideo({ path: file.temporary, format, width, height, frameRate })
      return { file, video }
    } catch (error) {
      await file.abandon()
      throw error
    }
  }
  const take = async (frame: number, image: RgbImage): Promise<void> => {
    opened ??= await open(image)
    const kept = keepsFrames ? keep(frame, image) : null
    await Promise.all([opened.video.write(image), kept])
  }
  const keep = async (frame: number, { rgb, width, height }: RgbImage): Promise<void> => {
    const png = await encodePng(rgb, width, height, { compressionLevel: FRAME_COMPRESSION })
    await (await writer()).writeFrame(frame, png)
  }
  const close = async (): Promise<void> => {
    const closing = opened
    opened = null
    try {
      await closing?.video.abort()
    } finally {
      await closing?.file.abandon()
    }
  }
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    tail = tail.then(async () => {
      if (failure !== null) return
      try {
        await work()
      } catch (reason) {
        failure = { reason }
      }
    })
    return tail
  }

  return {
    write: (frame, image) => inTurn(() => take(frame, image)),
    async end() {
      await inTurn(async () => {
        if (opened === null) throw new Error('the video has no frames')
        await opened.video.end()
        await opened.file.commit()
        opened = null
      })
      if (failure === null) return
      const { reason } = failure
      await this.abandon()
      throw reason
    },
    async abandon() {
      await tail
      failure = null
      await inTurn(close)
      failure = null
    },
  }
}
