/** What is told of a batch's steps while it is drawn: each step, with the state or the picture that its preview shows. */
import type { StepInfo } from '../pipelines/pipeline.ts'
import { middleFrame } from '../preview/decoder.ts'
import { sizeOf } from '../tensor/tensor.ts'
import type { JobPreviews, PictureJob, PictureNotice } from './inference-calls.ts'
import type { Injection } from './injection.ts'
import type { InlineDecoder } from './inline-decoder.ts'
import type { CallContext } from './serve-calls.ts'
import { toWireError } from './wire-error.ts'

/** A message costs a tenth of a millisecond in which nothing is drawn: steps that are quicker than this are told together. */
const HELD_MS = 50

export interface StepNotices {
  /** Tells of a step; the first and the last at once, others with the next ones where `HELD_MS` have not passed yet. */
  readonly take: (info: StepInfo) => Promise<void>
  /** Tells what is held. */
  readonly flush: () => Promise<void>
}

export interface StepNoticesOptions {
  readonly jobs: readonly Pick<PictureJob, 'unit' | 'previews'>[]
  readonly inlineDecoder: Pick<InlineDecoder, 'decode'>
  readonly injection: Injection
  readonly context: Pick<CallContext<PictureNotice>, 'handOut'>
  /** Milliseconds of a clock that never jumps. */
  readonly now?: () => number
}

export function createStepNotices(options: StepNoticesOptions): StepNotices {
  const { jobs, context, now = () => performance.now() } = options
  const held: PictureNotice[] = []
  let toldAt = Number.NEGATIVE_INFINITY
  // A preview that takes long to decode must not keep its step from being told.
  let lastDecodeMs = Number.POSITIVE_INFINITY
  const flush = async (): Promise<void> => {
    if (held.length === 0) return
    toldAt = now()
    await context.handOut(...held.splice(0))
  }
  return {
    async take(info) {
      const { step, steps, durationMs } = info
      const isDue = step === steps || now() - toldAt >= HELD_MS
      const endedAt = Date.now()
      for (const [index, { unit, previews }] of jobs.entries()) {
        const told = { type: 'step', unit, step, steps, durationMs, endedAt } as const
        if (!previews || (step % previews.every !== 0 && step !== steps)) held.push(told)
        else if (previews.method === 'handed')
          held.push({ ...told, shown: shownOf(previews, info, index, isDue) })
        else {
          held.push(told)
          if (lastDecodeMs >= HELD_MS) await flush()
          const { method } = previews
          const before = now()
          held.push(await decodeInline(options, { unit, method, previews, info, index }))
          lastDecodeMs = now() - before
        }
      }
      if (isDue || now() - toldAt >= HELD_MS) await flush()
    },
    flush,
  }
}

/** One picture's state of the batch's: [1, channels, ...space], in the batch's own memory. */
function stateOf({ source }: JobPreviews, { dims, denoised, latents }: StepInfo, index: number) {
  const [, channels, ...space] = dims
  const size = sizeOf([channels, ...space])
  const state = source === 'denoised' ? denoised : latents
  return { data: state.subarray(index * size, (index + 1) * size), dims: [1, channels, ...space] as const }
}

/** @param isDue whether it is sent before the batch goes on, which writes into its memory */
function shownOf(previews: JobPreviews, info: StepInfo, index: number, isDue: boolean) {
  const { data, dims } = stateOf(previews, info, index)
  if (previews.frames === 'middle') return middleFrame(data, dims)
  return { data: isDue ? data : data.slice(), dims }
}

interface InlinePreview {
  readonly unit: number
  readonly method: Exclude<JobPreviews['method'], 'handed'>
  readonly previews: JobPreviews
  readonly info: StepInfo
  readonly index: number
}

/** Decoded here, on the device that draws. */
async function decodeInline(
  { inlineDecoder, injection }: StepNoticesOptions,
  { unit, method, previews, info, index }: InlinePreview,
): Promise<PictureNotice> {
  const { step } = info
  const { frames: shows } = previews
  try {
    injection.reach(`preview-${method}`, step)
    const { data, dims: whole } = stateOf(previews, info, index)
    const one = shows ? middleFrame(data, whole) : { data: data.slice(), dims: whole }
    // The VAE of videos takes a video of one frame, a tiny decoder a picture.
    const [, c, h, w] = one.dims
    const dims = shows && method === 'full' ? ([1, c, 1, h!, w!] as const) : one.dims
    const [image] = await inlineDecoder.decode(method, one.data, dims)
    const showsAll = shows === 'all' || shows === 'animated'
    const frames = showsAll ? await inlineDecoder.decode(method, data.slice(), whole) : undefined
    return { type: 'preview', unit, step, image, frames }
  } catch (error) {
    return { type: 'preview-failed', unit, step, error: toWireError(error) }
  }
}
