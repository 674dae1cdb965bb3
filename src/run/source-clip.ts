/** A video that drawing starts from, whatever it lies in: a folder of numbered pictures, or a video file. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { errorCode } from '../errors.ts'
import { checkClip, listClip, readClip } from '../images/clip-folder.ts'
import { fitImage, type ImageFit } from '../images/fit-image.ts'
import type { ImageSize } from '../images/image-size.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'

export interface SourceClip {
  readonly frames: number
  /** sha-256 of what the first `count` frames are read from. */
  readonly hash: (count: number, signal?: AbortSignal) => Promise<string>
  /** The first `count` frames at a size, one by one, and the hash of what was read. */
  readonly read: (
    count: number,
    size: ImageSize,
    fit: ImageFit | undefined,
    take: (frame: RgbImage) => Promise<void>,
  ) => Promise<string>
}

/** @throws PregenError `E_VIDEO_…`, `E_NO_ENCODER` where nothing here reads video files */
export async function openSourceClip(path: string): Promise<SourceClip> {
  return (await isFile(path)) ? openFile(path) : openFolder(path)
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return false
    throw error
  }
}

async function openFolder(path: string): Promise<SourceClip> {
  const paths = await listClip(path)
  return {
    frames: paths.length,
    hash: (count, signal) => checkClip(paths.slice(0, count), signal),
    async read(count, size, fit, take) {
      const hash = createHash('sha256')
      const pictures = readClip(paths.slice(0, count), size, fit, (sha256) => void hash.update(sha256))
      for await (const picture of pictures) await take(picture)
      return hash.digest('hex')
    },
  }
}

async function openFile(path: string): Promise<SourceClip> {
  const { inspectVideo, readVideo } = await import('../media/video-reader.ts')
  let { frames } = await inspectVideo(path)
  if (frames === null) {
    frames = 0
    for await (const _ of readVideo(path)) frames++
  }
  return {
    frames,
    hash: () => hashFile(path),
    async read(count, size, fit, take) {
      const sha256 = await hashFile(path)
      for await (const frame of readVideo(path, { maxFrames: count })) await take(fitImage(frame, size, fit))
      return sha256
    },
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece)
  return hash.digest('hex')
}
