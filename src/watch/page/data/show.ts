/** What a version holds, as the page shows it: read from manifest.json, with whatever may be missing or odd in it. */
import { isRecord } from '../../player/timeline.ts'

export type VariantState = 'done' | 'running' | 'waiting' | 'failed'

export interface Fault {
  readonly stage: string
  readonly code: string
  readonly message: string
  /** What to do about it; empty where the log does not say. */
  readonly help: string
}

/** Facts of a picture that the manifest tells; null where it does not. */
export interface Facts {
  readonly width: number | null
  readonly height: number | null
  /** Text: seeds go up to 2^64 − 1. */
  readonly seed: string | null
  readonly steps: number | null
  readonly stepsExecuted: number | null
  readonly guidanceScale: number | null
  readonly denoiseStrength: number | null
  readonly scheduler: string | null
  readonly model: string | null
  readonly fingerprint: string | null
  readonly sizeBytes: number | null
  readonly sha256: string | null
  readonly seconds: number | null
  readonly referenceMode: string | null
  /** Of a video. */
  readonly frames: number | null
  readonly fps: number | null
  readonly durationSeconds: number | null
}

export interface Variant {
  readonly cue: string
  readonly variant: string
  readonly program: string
  /** `image`, or `video`: steps, and then its file, whose first frame is final.png. */
  readonly type: string
  /** The name of its final file: final.png, final.mp4 … */
  readonly file: string
  readonly state: VariantState
  /** Place in the sheet. */
  readonly index: number
  readonly prompt: string | null
  readonly negativePrompt: string | null
  /** Of a matrix: its keys with this variant's values, in the order of the sheet. */
  readonly axes: Readonly<Record<string, string>> | null
  readonly facts: Facts
  /** Step pictures are there, whole. */
  readonly hasTiming: boolean
  readonly hasThumbnail: boolean
  /** Put behind every address, so that a picture that was made again is not taken from a cache. */
  readonly mark: string
  readonly fault: Fault | null
}

export interface Show {
  readonly version: string
  readonly variants: readonly Variant[]
  /** Entries of the manifest that could not be read. */
  readonly unreadable: number
}

export const NO_FACTS: Facts = {
  width: null,
  height: null,
  seed: null,
  steps: null,
  stepsExecuted: null,
  guidanceScale: null,
  denoiseStrength: null,
  scheduler: null,
  model: null,
  fingerprint: null,
  sizeBytes: null,
  sha256: null,
  seconds: null,
  referenceMode: null,
  frames: null,
  fps: null,
  durationSeconds: null,
}

/** `dawn/wide`; ids hold no slash. */
export function keyOf(unit: { readonly cue: string; readonly variant: string }): string {
  return `${unit.cue}/${unit.variant}`
}

/** @throws TypeError when it is no manifest at all; single entries that cannot be read are counted and left out */
export function readShow(value: unknown): Show {
  if (!isRecord(value) || !Array.isArray(value.assets)) throw new TypeError('it holds no list of "assets"')
  const variants: Variant[] = []
  let unreadable = 0
  for (const [place, asset] of value.assets.entries()) {
    const variant = readAsset(asset, place)
    if (variant === null) unreadable += 1
    else variants.push(variant)
  }
  return { version: stringOrNull(value.version) ?? '', variants, unreadable }
}

function readAsset(asset: unknown, place: number): Variant | null {
  if (!isRecord(asset)) return null
  const [cue, variant] = [stringOrNull(asset.cue), stringOrNull(asset.variant)]
  if (cue === null || variant === null) return null
  const metadata = isRecord(asset.metadata) ? asset.metadata : {}
  const sha256 = stringOrNull(metadata.sha256)
  return {
    cue,
    variant,
    program: stringOrNull(asset.program) ?? '',
    type: stringOrNull(asset.type) ?? 'image',
    file: fileOf(asset),
    state: 'done',
    index: finiteNumber(metadata.asset_index) ?? place,
    prompt: stringOrNull(asset.prompt),
    negativePrompt: stringOrNull(asset.negative_prompt),
    axes: readVariantAxes(asset.axes),
    facts: {
      width: finiteNumber(metadata.width),
      height: finiteNumber(metadata.height),
      seed: stringOrNull(metadata.seed) ?? finiteNumber(metadata.seed)?.toString() ?? null,
      steps: finiteNumber(metadata.steps),
      stepsExecuted: finiteNumber(metadata.steps_executed),
      guidanceScale: finiteNumber(metadata.guidance_scale),
      denoiseStrength: finiteNumber(metadata.denoise_strength),
      scheduler: stringOrNull(metadata.scheduler),
      model: stringOrNull(metadata.model),
      fingerprint: stringOrNull(metadata.model_fingerprint),
      sizeBytes: finiteNumber(metadata.file_size_bytes),
      sha256,
      seconds: finiteNumber(metadata.generation_time),
      referenceMode: stringOrNull(metadata.reference_mode),
      frames: finiteNumber(metadata.num_frames),
      fps: finiteNumber(metadata.fps),
      durationSeconds: finiteNumber(metadata.duration_seconds),
    },
    hasTiming: typeof asset.timing_url === 'string',
    hasThumbnail: typeof asset.thumbnail_url === 'string',
    mark: sha256?.slice(0, 8) ?? '',
    fault: null,
  }
}

/** The last part of its address; of what has none, the name that its type had from the first. */
function fileOf({ url, type }: Record<string, unknown>): string {
  const name = /\/(final\.[a-z0-9]+)$/.exec(stringOrNull(url) ?? '')?.[1]
  return name ?? (type === 'video' ? 'final.mp4' : 'final.png')
}

/** null where there are none. */
function readVariantAxes(value: unknown): Readonly<Record<string, string>> | null {
  if (!isRecord(value)) return null
  const axes = Object.entries(value).flatMap(([name, text]) =>
    typeof text === 'string' || typeof text === 'number' || typeof text === 'boolean'
      ? [[name, String(text)] as const]
      : [],
  )
  return axes.length === 0 ? null : Object.fromEntries(axes)
}

export function stringOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

export function finiteNumber(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
