/**
 * One unit's files while it is drawn: previews become PNGs beside the run, the final picture follows, and the
 * marker comes last. A preview that fails costs that preview and the marker, never the picture.
 */
import type { LedgerFile } from '../artifacts/ledger.ts'
import { encodePng } from '../artifacts/png.ts'
import { encodeThumbnail } from '../artifacts/thumbnail.ts'
import { timingOf } from '../artifacts/timing.ts'
import type { VariantWriter } from '../artifacts/variant-writer.ts'
import type { Generated } from '../engine/inference-calls.ts'
import type { Faults } from '../engine/injection.ts'
import { messageOf } from '../errors.ts'
import type { Unit } from '../plan/unit.ts'
import type { PreviewRenderer } from '../preview/render.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { EmitRunEvent } from './events.ts'
import type { LiveFile } from './live-file.ts'

// Previews are many and short-lived on screen: a quick encoding leaves the cores to the denoiser.
const PREVIEW_COMPRESSION = 2

export interface UnitOutputOptions {
  readonly unit: Unit
  /** Opens the variant's folder, where an earlier making goes. Called once, when the unit's turn has come. */
  readonly openWriter: () => Promise<VariantWriter>
  /** Makes pictures of latents that are handed out; null where the worker decodes them, or there are none. */
  readonly renderer: PreviewRenderer | null
  /** null without `--live-file`. */
  readonly liveFile: LiveFile | null
  /** Text for the final picture's metadata, or undefined. */
  readonly metadata: string | undefined
  readonly emit: EmitRunEvent
  readonly faults: Faults
}

export interface FinishedUnit {
  readonly files: readonly LedgerFile[]
  /** From the time that the worker took the unit up to its last file. */
  readonly durationMs: number
  /** false: the picture is there but a preview is not, so there is no marker. */
  readonly complete: boolean
}

export interface UnitOutput {
  /** The worker takes the unit up: what an earlier run made stands until now. */
  readonly begin: () => void
  /** Waits for the previews in hand and forgets them: the unit is drawn again from its first step. */
  readonly restart: () => Promise<void>
  /** Latents [1, channels, height, width] of a step. Never rejects. */
  readonly takeLatents: (step: number, data: Float32Array, dims: readonly number[]) => Promise<void>
  /** A preview that the worker decoded. Never rejects. */
  readonly takePreview: (step: number, image: RgbImage) => Promise<void>
  readonly previewFailed: (step: number, reason: unknown) => void
  /** Waits for the previews in hand. @throws PregenError when the picture itself cannot be written */
  readonly finish: (generated: Generated, promptMs: number) => Promise<FinishedUnit>
  /** Waits for the previews in hand and drops the live file; the unit failed or was cancelled. Never rejects. */
  readonly abandon: () => Promise<void>
}

export function createUnitOutput(options: UnitOutputOptions): UnitOutput {
  const { unit, renderer, liveFile, emit, faults } = options
  const { cue, variant } = unit
  const inHand = new Set<Promise<void>>()
  let previewsWhole = true
  let begunAt = performance.now()
  let opened: Promise<VariantWriter> | undefined
  const writerOf = (): Promise<VariantWriter> => {
    if (opened) return opened
    opened = options.openWriter()
    // Told when the unit finishes; until then a failure here is no unheard rejection.
    opened.catch(() => undefined)
    return opened
  }

  const previewFailed = (step: number, reason: unknown) => {
    previewsWhole = false
    const method = unit.previews?.method ?? 'none'
    emit({ type: 'preview-failed', cue, variant, step, method, message: messageOf(reason) })
  }

  const take = (step: number, render: () => Promise<RgbImage>): Promise<void> => {
    const work = (async () => {
      try {
        const writer = await writerOf()
        faults.reach('preview-render', step)
        const { rgb, width, height } = await render()
        faults.reach('preview-encode', step)
        const png = await encodePng(rgb, width, height, { compressionLevel: PREVIEW_COMPRESSION })
        faults.reach('preview-write', step)
        const path = await writer.writeStep(step, png)
        await liveFile?.show(step, png)
        emit({ type: 'preview', cue, variant, step, path })
      } catch (error) {
        previewFailed(step, error)
      }
    })()
    inHand.add(work)
    return work.finally(() => inHand.delete(work))
  }

  return {
    begin() {
      begunAt = performance.now()
      void writerOf()
    },
    async restart() {
      await Promise.all(inHand)
      await liveFile?.hide()
      previewsWhole = true
    },
    takeLatents: (step, data, dims) =>
      take(step, () => {
        if (!renderer) throw new Error('this unit has no preview renderer')
        return renderer.render(step, data, dims)
      }),
    takePreview: (step, image) => take(step, () => Promise.resolve(image)),
    previewFailed,
    async finish(generated, promptMs) {
      const { image, stepDurationsMs, decodeMs } = generated
      const writer = await writerOf()
      const encodeFrom = performance.now()
      const png = await encodePng(image.rgb, image.width, image.height, { metadata: options.metadata })
      const encodeMs = performance.now() - encodeFrom
      await writer.writeFinal(png)
      if (unit.thumbnail) {
        await writer.writeThumbnail(await encodeThumbnail(image.rgb, image.width, image.height))
      }
      await Promise.all(inHand)
      const [first = 0, ...others] = stepDurationsMs
      const timing =
        unit.previews !== null && previewsWhole
          ? timingOf([first + promptMs, ...others], decodeMs + encodeMs)
          : null
      const files = await writer.finish(timing)
      await liveFile?.hide()
      return { files, complete: previewsWhole, durationMs: performance.now() - begunAt }
    },
    async abandon() {
      await Promise.all(inHand)
      await liveFile?.hide()
    },
  }
}
