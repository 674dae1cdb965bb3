/** Makes one film: of a variant, or of several in a grid. */
import { dirname, relative, sep } from 'node:path'
import { stateInside } from '../artifacts/confined-files.ts'
import { type Confinement, confine } from '../artifacts/confinement.ts'
import { beginDurableFile, type WrittenFile } from '../artifacts/durable-file.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { hashBytes } from '../artifacts/file-state.ts'
import { makeFolderInside } from '../artifacts/output-folder.ts'
import { PregenError } from '../errors.ts'
import { assertAnimationFits, encodeAnimation } from '../media/animation.ts'
import type { AnimatedFormatName, VideoFormat } from '../media/video-formats.ts'
import { VIDEO_EXTENSIONS } from '../media/video-formats.ts'
import { createVideoWriter, missingEncoder } from '../media/video-writer.ts'
import { cutsOf } from './cuts.ts'
import { ffconcatOf } from './ffconcat.ts'
import type { FilmFormat, FilmOptions } from './film-options.ts'
import { writeSequence } from './frame-sequence.ts'
import { createPainter, gridOf, type Painter } from './painter.ts'
import { pictureName } from './picture-file.ts'
import { type FilmSchedule, filmSchedule, framesAt, HUNDREDTHS, MILLISECONDS } from './schedule.ts'
import type { VariantPictures } from './variant-pictures.ts'

export interface FilmRequest extends FilmOptions {
  /** One, or the cells of a grid in their order. */
  readonly variants: readonly VariantPictures[]
  /** The folder that nothing leaves; it exists. */
  readonly root: string
  /** Below it, without the format's extension. */
  readonly path: string
  readonly signal?: AbortSignal | undefined
}

export interface WrittenFilm {
  /** A file; with `frames`, a folder. */
  readonly path: string
  readonly durationMs: number
  /** null: a folder of pictures. */
  readonly file: WrittenFile | null
}

/** `.mp4`; nothing for a folder. */
export function filmExtension(format: FilmFormat): string {
  if (format === 'frames') return ''
  return format === 'ffconcat' ? '.ffconcat' : `.${VIDEO_EXTENSIONS[format]}`
}

/**
 * What is asked for cannot be had here: told before anything is read.
 * @returns null: it can
 */
export async function filmFault(
  { format, fadeMs }: FilmOptions,
  isGrid: boolean,
): Promise<PregenError | null> {
  if (format === 'ffconcat' && (isGrid || fadeMs > 0)) {
    return new PregenError(
      'E_FILM_FORMAT',
      'An ffconcat names pictures that are there: it has no fades and no grid.',
      {
        help: 'Take another format, such as mp4, or leave the fade and the grid away.',
      },
    )
  }
  return format === 'ffconcat' || format === 'frames' ? null : missingEncoder(format)
}

/** @throws PregenError `E_NO_ENCODER`, `E_FILM_FORMAT`, `E_FILM_TOO_LONG`, `E_ANIMATION_TOO_LARGE`, `E_DISK_FULL` and the like */
export async function writeFilm(request: FilmRequest): Promise<WrittenFilm> {
  const { format, variants, root, fadeMs, frameRate } = request
  const inside = confine(root)
  const path = `${request.path}${filmExtension(format)}`
  await makeFolderInside(root, dirname(path))
  const cells = variants.map(({ timing, steps }) => cutsOf(timing, steps, request))
  const durationMs = Math.max(...cells.map(({ endMs }) => endMs))
  if (format !== 'ffconcat' && durationMs > MAX_FILM_MS) throw tooLong(durationMs)
  const painter = painterOf(variants)
  const done = (file: WrittenFile | null) => ({ path, durationMs, file })
  switch (format) {
    case 'ffconcat': {
      const fault = await filmFault(request, variants.length > 1)
      if (fault) throw fault
      const list = ffconcatOf(filmSchedule(cells, MILLISECONDS, 0), linkFrom(path, variants[0]!.folder))
      return done(await writeWhole(inside, path, new TextEncoder().encode(list)))
    }
    case 'webp':
    case 'gif': {
      const ticks = format === 'gif' ? HUNDREDTHS : MILLISECONDS
      const bytes = await animationOf(format, filmSchedule(cells, ticks, fadeMs), painter)
      return done(await writeWhole(inside, path, bytes))
    }
    case 'frames': {
      const schedule = filmSchedule(cells, framesAt(frameRate), fadeMs)
      await writeSequence({ root, folder: path, frameRate, painter, schedule, signal: request.signal })
      return done(null)
    }
    default:
      return done(
        await encode(format, {
          request,
          inside,
          path,
          painter,
          schedule: filmSchedule(cells, framesAt(frameRate), fadeMs),
        }),
      )
  }
}

/** A day: beyond it, frames of a constant rate fill disks, and nobody looks. */
const MAX_FILM_MS = 24 * 3_600_000

function tooLong(durationMs: number): PregenError {
  const hours = Math.ceil(durationMs / 3_600_000)
  return new PregenError('E_FILM_TOO_LONG', `At this pace the film lasts ${hours} hours; 24 are the most.`, {
    help: `Take a faster --pace, such as ${10 ** Math.ceil(Math.log10(hours))}, or --format ffconcat.`,
    exitCode: 3,
  })
}

function painterOf(variants: readonly VariantPictures[]): Painter {
  const width = Math.max(...variants.map((variant) => variant.width))
  const height = Math.max(...variants.map((variant) => variant.height))
  return createPainter(
    variants.map(({ read }) => read),
    gridOf(variants.length, { width, height }),
  )
}

async function writeWhole(inside: Confinement, path: string, bytes: Uint8Array): Promise<WrittenFile> {
  await writeFileDurably(path, bytes, { inside })
  const state = await stateInside(inside, path)
  const sums = { sha256: hashBytes(bytes), md5: hashBytes(bytes, 'md5') }
  return { ...sums, sizeBytes: bytes.byteLength, mtimeMs: state?.mtimeMs ?? 0 }
}

async function animationOf(
  format: AnimatedFormatName,
  { moments, endTick }: FilmSchedule,
  painter: Painter,
): Promise<Uint8Array> {
  assertAnimationFits(moments.length, painter)
  const unitMs = format === 'gif' ? 10 : 1
  const pictures = []
  for (const [at, { tick, shown }] of moments.entries()) {
    const durationMs = ((moments[at + 1]?.tick ?? endTick) - tick) * unitMs
    pictures.push({ picture: await painter.paint(shown), durationMs })
  }
  return encodeAnimation(format, pictures)
}

interface Encoding {
  readonly request: FilmRequest
  readonly inside: Confinement
  readonly path: string
  readonly painter: Painter
  readonly schedule: FilmSchedule
}

async function encode(
  format: VideoFormat,
  { request, inside, path, painter, schedule: { moments, endTick } }: Encoding,
): Promise<WrittenFile> {
  const { frameRate, signal } = request
  const { width, height } = painter
  const file = beginDurableFile(path, { inside })
  try {
    const writer = await createVideoWriter({ path: file.temporary, format, width, height, frameRate, signal })
    try {
      for (const [at, { tick, shown }] of moments.entries()) {
        const image = await painter.paint(shown)
        for (let frame = tick; frame < (moments[at + 1]?.tick ?? endTick); frame++) await writer.write(image)
      }
      await writer.end()
    } finally {
      await writer.abort()
    }
    return await file.commit()
  } finally {
    await file.abandon()
  }
}

/** Paths from a list to the pictures, with `/` on every system. */
function linkFrom(path: string, folder: string): (picture: number | 'final') => string {
  const way = relative(dirname(path), folder).split(sep).join('/')
  return (picture) => `${way}/${pictureName(picture)}`
}
