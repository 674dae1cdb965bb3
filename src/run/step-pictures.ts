/**
 * The step pictures of one unit: latents or previews become PNGs beside the run. One that fails costs that picture and
 * the marker, never the final picture.
 */
import { encodePng } from '../artifacts/png.ts'
import type { VariantWriter } from '../artifacts/variant-writer.ts'
import type { JobPreviews } from '../engine/inference-calls.ts'
import type { Injection } from '../engine/injection.ts'
import { messageOf, PregenError } from '../errors.ts'
import type { Unit } from '../plan/unit.ts'
import type { DecodePictures } from '../preview/decoder.ts'
import {
  createPreviewRenderer,
  type PreviewRenderer,
  type StepPreview,
  showFrames,
} from '../preview/render.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { EmitRunEvent } from './events.ts'
import type { LiveFile } from './live-file.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'
import { factorsOf } from './preview-factors.ts'
import { animateStep } from './step-animation.ts'

// Previews are many and short-lived on screen: a quick encoding leaves the cores to the denoiser.
const PREVIEW_COMPRESSION = 2

export interface StepPictures {
  /** Latents [1, channels, height, width] of a step. Never rejects. */
  readonly takeLatents: (step: number, data: Float32Array, dims: readonly number[]) => Promise<void>
  /** A preview that the inference process decoded. Never rejects. */
  readonly takePreview: (step: number, image: RgbImage, frames?: readonly RgbImage[]) => Promise<void>
  readonly noteFailure: (step: number, message: string) => void
  /** Whether none has failed since the unit began. */
  readonly areWhole: () => boolean
  /** Waits for the pictures in hand. */
  readonly settle: () => Promise<void>
  /** Waits for the pictures in hand and forgets them: the unit is drawn again from its first step. */
  readonly restart: () => Promise<void>
  /** Waits for the pictures in hand and drops the live file: the unit is done, failed or cancelled. Never rejects. */
  readonly close: () => Promise<void>
}

export interface StepPicturesOptions {
  readonly unit: Unit
  /** The variant's folder, opened when the first picture comes. */
  readonly writer: () => Promise<VariantWriter>
  /** Makes pictures of latents; null where the inference process decodes them, or there are none. */
  readonly renderer: PreviewRenderer | null
  /** null without `--live-file`. */
  readonly liveFile: LiveFile | null
  readonly emit: EmitRunEvent
  readonly injection: Injection
}

export function createStepPictures(options: StepPicturesOptions): StepPictures {
  const { unit, renderer, liveFile, emit, injection } = options
  const { cue, variant } = unit
  const inHand = new Set<Promise<void>>()
  let areWhole = true
  let isRemoved = false

  const noteFailure = (step: number, message: string) => {
    areWhole = false
    emit({ type: 'preview-failed', cue, variant, step, method: unit.previews?.method ?? 'none', message })
  }
  const take = (step: number, render: () => Promise<StepPreview>): Promise<void> => {
    const work = (async () => {
      // Its folder is gone: told once, and nothing more is made for it.
      if (isRemoved) return
      try {
        const writer = await options.writer()
        injection.reach('preview-render', step)
        const { image, frames } = await render()
        injection.reach('preview-encode', step)
        const { rgb, width, height } = image
        const png = await encodePng(rgb, width, height, { compressionLevel: PREVIEW_COMPRESSION })
        const webp = frames && (await animateStep(frames, unit))
        injection.reach('preview-write', step)
        const animation = webp ? await writer.writeStepAnimation(step, webp) : null
        const path = await writer.writeStep(step, png)
        await liveFile?.show(step, png)
        emit({ type: 'preview', cue, variant, step, path, animation })
      } catch (error) {
        const isFirst = !isRemoved
        isRemoved ||= error instanceof PregenError && error.code === 'E_OUTPUT_REMOVED'
        if (isFirst) noteFailure(step, messageOf(error))
      }
    })()
    inHand.add(work)
    return work.finally(() => inHand.delete(work))
  }
  const settle = async () => void (await Promise.all(inHand))
  const close = async () => {
    await settle()
    await liveFile?.hide()
  }

  return {
    takeLatents: (step, data, dims) =>
      take(step, () => {
        if (!renderer) throw new Error('this unit has no preview renderer')
        return renderer.render(step, data, dims)
      }),
    takePreview: (step, image, frames) =>
      take(step, () => {
        const { previews: settings, width, height } = unit
        if (settings === null) throw new Error('this unit has no previews')
        return showFrames({ settings, width, height }, image, frames)
      }),
    noteFailure,
    areWhole: () => areWhole,
    settle,
    async restart() {
      await close()
      areWhole = true
    },
    close,
  }
}

/** Who makes the previews: this process, of handed-out latents, or the inference process on its own device. */
export function jobPreviewsOf({ previews }: Unit, provider: string): JobPreviews | null {
  if (previews === null) return null
  const { method, every, source, frames } = previews
  const isInline = method === 'full' || (method === 'taesd' && provider !== 'cpu')
  return { every, source, method: isInline ? method : 'handed', ...(frames && { frames }) }
}

/** The file of the tiny decoder that makes this unit's previews beside the denoiser; null where none does. */
function decoderBeside(unit: Unit, model: PreparedModel, previews: JobPreviews | null): string | null {
  const isBeside = unit.previews?.method === 'taesd' && previews?.method === 'handed'
  return isBeside ? model.folder.previewDecoder : null
}

/** Has the decoder of previews started while the model loads, and not while the first picture is drawn. */
export function warmPreviews(
  units: readonly PreparedUnit[],
  model: PreparedModel,
  provider: string,
  previewDecoder: (path: string, channels: number) => DecodePictures,
): void {
  for (const { unit } of units) {
    const decoder = decoderBeside(unit, model, jobPreviewsOf(unit, provider))
    if (decoder !== null) return void previewDecoder(decoder, model.facts.latentChannels)
  }
}

/** @param previewDecoder a decoder's file and the model's latent channels → the decoder, which starts now */
export async function rendererOf(
  unit: Unit,
  model: PreparedModel,
  previews: JobPreviews | null,
  previewDecoder: (path: string, channels: number) => DecodePictures,
): Promise<PreviewRenderer | null> {
  if (unit.previews === null || previews?.method !== 'handed') return null
  const channels = model.facts.latentChannels
  const decoder = decoderBeside(unit, model, previews)
  return createPreviewRenderer({
    settings: unit.previews,
    channels,
    factors: unit.previews.method === 'latent2rgb' ? await factorsOf(model) : undefined,
    decode: decoder === null ? undefined : previewDecoder(decoder, channels),
    width: unit.width,
    height: unit.height,
  })
}
