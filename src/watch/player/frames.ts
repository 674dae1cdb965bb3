/** Fetches and decodes the pictures of one variant, so that showing one later costs nothing but a draw. */
import { AnimatedClip } from './animation.ts'
import { ANIMATION_NAME, type Clip, findClip, VideoClip } from './clip.ts'
import { type Timeline, timelineOf } from './timeline.ts'

/** A file that could not be had; the rest is shown. */
export interface FrameFault {
  readonly file: string
  readonly message: string
}

export interface Frames {
  /** null: no step pictures. */
  readonly timeline: Timeline | null
  /** By frame: [1 … steps] the step pictures (null where there is none), then the final one. [0] is null. */
  readonly pictures: readonly (ImageBitmap | null)[]
  /** What comes after the last step of a video variant; null: a picture. */
  readonly clip: Clip | null
  readonly width: number
  readonly height: number
  readonly faults: readonly FrameFault[]
}

export interface LoadOptions {
  readonly signal: AbortSignal
  /** Decoded pictures together take at most about so much; beyond it they are decoded smaller. */
  readonly memoryLimitBytes?: number
  /** Added to every address after `?`, so that a picture that was made again is not taken from a cache. */
  readonly query?: string
  /** The file of the variant's video; null: it has none; undefined: its version's manifest is asked. */
  readonly clip?: string | null | undefined
}

const MEMORY_LIMIT_BYTES = 768 * 1024 * 1024
const BYTES_PER_PIXEL = 4
const REQUESTS_AT_ONCE = 8

/**
 * @param base the variant's folder, with a slash at its end
 * @throws Error when the final picture cannot be had
 */
export async function loadFrames(base: string, options: LoadOptions): Promise<Frames> {
  const faults: FrameFault[] = []
  const urlOf = (name: string) => new URL(name + (options.query ? `?${options.query}` : ''), base).href
  const get = async (name: string): Promise<Response | null> => {
    const response = await fetch(urlOf(name), { signal: options.signal })
    return response.ok ? response : null
  }
  const [timeline, finalBlob, clipName] = await Promise.all([
    readTimeline(get, faults, options.signal),
    get('final.png').then((response) => response?.blob()),
    options.clip === undefined ? findClip(base, options.signal) : options.clip,
  ])
  if (!finalBlob) throw new Error('final.png is not there')
  const whole = await createImageBitmap(finalBlob)
  const { width, height } = whole
  const clip =
    clipName === null ? null : await loadClip(clipName, urlOf, { ...options, width, height, faults })
  if (timeline === null) return { timeline, pictures: [null, whole], clip, width, height, faults }
  const limit = options.memoryLimitBytes ?? MEMORY_LIMIT_BYTES
  const wanted = width * height * BYTES_PER_PIXEL * (timeline.steps + 1)
  const longest = Math.floor(Math.max(width, height) * Math.min(1, Math.sqrt(limit / wanted)))
  const decode = (blob: Blob) => decodeWithin(blob, longest)
  const pictures: (ImageBitmap | null)[] = [null]
  for (let step = 1; step <= timeline.steps; step++) pictures.push(null)
  await loadSteps(timeline.steps, get, decode, { pictures, faults, signal: options.signal })
  pictures.push(await decode(finalBlob))
  whole.close()
  return { timeline, pictures, clip, width, height, faults }
}

/** Frees what decoding took. */
export function closeFrames(frames: Frames): void {
  for (const picture of frames.pictures) picture?.close()
  frames.clip?.close()
}

/** The moments of a replay: when each picture comes, and, after a video, when that is over. */
export function momentsOf({ timeline, clip }: Frames): readonly number[] {
  const dueMs = timeline?.dueMs ?? (clip ? [0] : [])
  return clip ? [...dueMs, (dueMs.at(-1) ?? 0) + clip.durationMs] : dueMs
}

/** The picture of a frame, or the nearest one before it; null: none yet. */
export function pictureAt(frames: Frames, frame: number): ImageBitmap | null {
  for (let at = Math.min(frame, frames.pictures.length - 1); at > 0; at--) {
    const picture = frames.pictures[at]
    if (picture) return picture
  }
  return null
}

type Get = (name: string) => Promise<Response | null>

interface ClipToLoad extends LoadOptions {
  readonly width: number
  readonly height: number
  readonly faults: FrameFault[]
}

/** A video that cannot be played costs that video: its first frame is the final picture. */
async function loadClip(
  name: string,
  urlOf: (name: string) => string,
  { signal, width, height, faults, memoryLimitBytes = MEMORY_LIMIT_BYTES }: ClipToLoad,
): Promise<Clip | null> {
  try {
    const url = urlOf(name)
    if (name !== ANIMATION_NAME) return await VideoClip.load(url, signal)
    return await AnimatedClip.load(url, { signal, width, height, memoryLimitBytes })
  } catch (error) {
    signal.throwIfAborted()
    faults.push({ file: name, message: errorText(error) })
    return null
  }
}

async function readTimeline(get: Get, faults: FrameFault[], signal: AbortSignal): Promise<Timeline | null> {
  try {
    const response = await get('timing.json')
    return response === null ? null : timelineOf(await response.json())
  } catch (error) {
    signal.throwIfAborted()
    faults.push({ file: 'timing.json', message: errorText(error) })
    return null
  }
}

interface StepSink {
  readonly pictures: (ImageBitmap | null)[]
  readonly faults: FrameFault[]
  readonly signal: AbortSignal
}

async function loadSteps(
  steps: number,
  get: Get,
  decode: (blob: Blob) => Promise<ImageBitmap>,
  { pictures, faults, signal }: StepSink,
): Promise<void> {
  const load = async (step: number, mustBeThere: boolean): Promise<boolean> => {
    const file = `${step}.png`
    try {
      const response = await get(file)
      if (response === null) {
        if (mustBeThere) faults.push({ file, message: 'is not there' })
        return false
      }
      pictures[step] = await decode(await response.blob())
    } catch (error) {
      signal.throwIfAborted()
      faults.push({ file, message: errorText(error) })
    }
    return true
  }
  // `previews: { every: k }` leaves a picture at k, 2k, … and the last: the first two that are there tell k.
  let first = 1
  while (first <= steps && !(await load(first, false))) first += 1
  if (first > steps) return
  const isLone = first > 1 && first < steps && (await load(first + 1, false))
  const every = first === 1 || isLone ? 1 : first
  if (every === 1) {
    for (let step = 1; step < first; step++) faults.push({ file: `${step}.png`, message: 'is not there' })
  }
  const rest: number[] = []
  for (let step = first + 1 + Number(isLone); step <= steps; step++) {
    if (step % every === 0 || step === steps) rest.push(step)
  }
  const work = async () => {
    for (let step = rest.shift(); step !== undefined; step = rest.shift()) await load(step, true)
  }
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work))
}

async function decodeWithin(blob: Blob, longest: number): Promise<ImageBitmap> {
  const bitmap = await createImageBitmap(blob)
  if (Math.max(bitmap.width, bitmap.height) <= longest) return bitmap
  const scale = longest / Math.max(bitmap.width, bitmap.height)
  const small = await createImageBitmap(bitmap, {
    resizeWidth: Math.max(1, Math.round(bitmap.width * scale)),
    resizeHeight: Math.max(1, Math.round(bitmap.height * scale)),
    resizeQuality: 'high',
  })
  bitmap.close()
  return small
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
