/** A unit's entry in manifest.json. */

import { outputKindOf, THUMBNAIL_NAME, TIMING_NAME } from '../artifacts/file-names.ts'
import type { Layout } from '../artifacts/layout.ts'
import type { LedgerFile } from '../artifacts/ledger.ts'
import { assetUrl, type ManifestAsset } from '../artifacts/manifest.ts'
import type { OutputKind } from '../artifacts/output-kinds.ts'
import { generationParameters } from '../artifacts/png.ts'
import { parseFrameRate, secondsOf } from '../media/frame-rate.ts'
import type { Unit } from '../plan/unit.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'

/** @param drawnMs time that drawing took: prompts, steps, decoding; of a batch, the unit's share */
export function createAsset(
  { layout, publicUrl }: { readonly layout: Layout; readonly publicUrl: string | undefined },
  { unit, index }: PreparedUnit,
  { id, facts }: PreparedModel,
  { files, drawnMs }: { readonly files: readonly LedgerFile[]; readonly drawnMs: number },
): ManifestAsset {
  const { cue, variant, program, width, height } = unit
  const kind = outputKindOf(unit.output)
  const final = files.find(({ name }) => name === kind.name)
  if (!final) throw new Error(`${cue}/${variant} has no ${kind.name}`)
  return {
    type: kind.type,
    cue,
    variant,
    program,
    ...assetUrls({ layout, cue, variant, kind, files, publicUrl }),
    prompt: unit.prompt,
    ...(unit.negativePrompt === undefined ? {} : { negative_prompt: unit.negativePrompt }),
    ...(unit.axes === undefined ? {} : { axes: unit.axes }),
    metadata: {
      width,
      height,
      format: kind.format,
      seed: String(unit.seed),
      steps: unit.steps,
      steps_executed: unit.executedSteps,
      guidance_scale: unit.guidanceScale,
      ...(unit.denoiseStrength === undefined ? {} : { denoise_strength: unit.denoiseStrength }),
      scheduler: unit.scheduler.name ?? facts.schedulerClass,
      model: id,
      model_fingerprint: facts.fingerprint,
      file_size_bytes: final.sizeBytes,
      sha256: final.sha256,
      generation_time: Math.round(drawnMs) / 1000,
      ...videoMetadata(unit),
      reference_mode: referenceMode(unit),
      asset_index: index,
    },
  }
}

function videoMetadata({ fps, numFrames }: Unit) {
  if (fps === undefined || numFrames === undefined) return {}
  const duration = secondsOf(numFrames, parseFrameRate(fps))
  return { duration_seconds: Math.round(duration * 1e6) / 1e6, fps, num_frames: numFrames }
}

function referenceMode({ image, lastImage, video, exactCopyMode, numFrames }: Unit): string {
  if (numFrames === undefined) return image === undefined ? 'none' : exactCopyMode ? 'exact_copy' : 'img2img'
  if (video !== undefined) return 'single'
  if (image === undefined) return lastImage === undefined ? 'none' : 'end'
  return lastImage === undefined ? 'start' : 'both'
}

interface PublishedUnit {
  readonly layout: Layout
  readonly cue: string
  readonly variant: string
  readonly kind: OutputKind
  readonly files: readonly { readonly name: string }[]
  /** `storage.public_url`; undefined: addresses relative to the manifest. */
  readonly publicUrl: string | undefined
}

/** Where a unit's files are seen, as the manifest says it. */
export function assetUrls({
  layout,
  cue,
  variant,
  kind,
  files,
  publicUrl,
}: PublishedUnit): Pick<ManifestAsset, 'url' | 'thumbnail_url' | 'timing_url'> {
  const urlOf = (name: string) => assetUrl(layout.fileKey(cue, variant, name), layout.prefix, publicUrl)
  const urlIfThere = (name: string) => (files.some((file) => file.name === name) ? urlOf(name) : null)
  return {
    url: urlOf(kind.name),
    thumbnail_url: urlIfThere(THUMBNAIL_NAME),
    timing_url: urlIfThere(TIMING_NAME),
  }
}

/** The text that common viewers read in a picture: prompt and settings. */
export function parametersOf({ unit }: PreparedUnit, { facts, id }: PreparedModel): string {
  return generationParameters({
    prompt: unit.prompt,
    negativePrompt: unit.negativePrompt,
    steps: unit.steps,
    sampler: unit.scheduler.name ?? facts.schedulerClass,
    guidanceScale: unit.guidanceScale,
    seed: unit.seed,
    width: unit.width,
    height: unit.height,
    model: id,
    denoiseStrength: unit.denoiseStrength,
  })
}
