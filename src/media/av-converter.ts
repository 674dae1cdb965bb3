/** Turns frames of one pixel format into another in FFmpeg's own filters, off this thread. */
import type { FilterContext, Frame, Rational } from 'node-av/lib'
import type { AvBinding } from './av-binding.ts'

/** Exact rounding, and chroma taken from whole pixels: what a still picture of few frames deserves. */
export const SCALE_FLAGS = 'bicubic+accurate_rnd+full_chroma_int+full_chroma_inp'

export interface ConverterOptions {
  readonly width: number
  readonly height: number
  /** Of the frames that come, by FFmpeg's number. */
  readonly pixelFormat: number
  readonly timeBase: Rational
  /** Colour of what comes, as `buffer` takes it: `gbr`, `bt709`; range `pc` or `tv`. */
  readonly colorSpace: string
  readonly range: string
  /** Filters in order: name and arguments. */
  readonly filters: readonly (readonly [name: string, args: string])[]
}

export interface Converter {
  /** @param to an allocated frame, which then holds the result */
  convert(from: Frame, to: Frame): Promise<void>
  free(): void
}

/** @throws FFmpegError */
export async function createConverter({ av }: AvBinding, options: ConverterOptions): Promise<Converter> {
  const { FFmpegError, Filter, FilterGraph } = av
  const graph = new FilterGraph()
  graph.alloc()
  const create = (name: string, label: string, args?: string): FilterContext => {
    const filter = Filter.getByName(name)
    const context = filter && graph.createFilter(filter, label, args)
    if (!context) throw new Error(`FFmpeg's filter ${name} (${args ?? ''}) cannot be made`)
    return context
  }
  const { width, height, pixelFormat, timeBase, colorSpace, range } = options
  const source = create(
    'buffer',
    'in',
    `video_size=${width}x${height}:pix_fmt=${pixelFormat}:time_base=${timeBase.num}/${timeBase.den}` +
      `:pixel_aspect=1/1:colorspace=${colorSpace}:range=${range}`,
  )
  const middle = options.filters.map(([name, args], at) => create(name, `f${at}`, args))
  const sink = create('buffersink', 'out')
  for (const [at, context] of [source, ...middle].entries()) {
    FFmpegError.throwIfError(context.link(0, middle[at] ?? sink, 0), 'link')
  }
  FFmpegError.throwIfError(await graph.config(), 'filters')
  return {
    async convert(from, to) {
      FFmpegError.throwIfError(await source.buffersrcAddFrame(from), 'filter')
      FFmpegError.throwIfError(await sink.buffersinkGetFrame(to), 'filter')
    },
    free: () => graph.free(),
  }
}
