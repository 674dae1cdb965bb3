/** A published version with small pictures and known timings, made without a model. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { parseFrameRate } from '../../../src/media/frame-rate.ts'
import { createVideoWriter } from '../../../src/media/video-writer.ts'

const FPS = 10

export interface TestVariant {
  readonly cue: string
  readonly variant: string
  readonly program?: string
  readonly prompt?: string
  readonly axes?: Readonly<Record<string, string>>
  readonly seed?: string
  /** Milliseconds of each step; null: no step pictures. */
  readonly stepsMs: readonly number[] | null
  readonly finalMs?: number
  readonly every?: number
  readonly size?: readonly [number, number]
  /** A video: reds of its frames, ten a second. */
  readonly reds?: readonly number[]
  /** What it is written as: MP4 unless it says otherwise. */
  readonly clip?: 'mp4' | 'webm' | 'webp'
}

/** Twenty steps of different lengths, most of them short. */
export const TWENTY_STEPS_MS = [
  120, 60, 45, 80, 60, 110, 50, 60, 75, 60, 140, 60, 60, 45, 90, 60, 60, 70, 55, 60,
]

/** @returns the version's folder, `<out>/foigoi/<version>` */
export async function writeShow(
  out: string,
  version: string,
  variants: readonly TestVariant[],
): Promise<string> {
  const folder = join(out, 'foigoi', version)
  await mkdir(folder, { recursive: true })
  const assets = variants.map((variant, index) => assetOf(variant, index))
  for (const [index, variant] of variants.entries()) await writeVariant(folder, variant, index)
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ manifest_version: 1, version, assets }))
  return folder
}

/** Entries alone, for a version whose pictures do not matter. */
export function assetOf({ cue, variant, program = 'P1', seed = '7', ...rest }: TestVariant, index: number) {
  const [width, height] = rest.size ?? [32, 32]
  const steps = rest.stepsMs?.length ?? 20
  const folder = `cues/${encodeURIComponent(cue)}/${encodeURIComponent(variant)}`
  return {
    ...{ type: rest.reds ? 'video' : 'image', cue, variant, program },
    url: `${folder}/final.${rest.reds ? (rest.clip ?? 'mp4') : 'png'}`,
    thumbnail_url: null,
    timing_url: rest.stepsMs === null ? null : `${folder}/timing.json`,
    ...(rest.prompt === undefined ? {} : { prompt: rest.prompt }),
    ...(rest.axes === undefined ? {} : { axes: rest.axes }),
    metadata: {
      ...{ width, height, format: 'png', seed, steps, steps_executed: steps, guidance_scale: 3 },
      ...{ scheduler: 'flow-match-euler', model: 'backdrop', model_fingerprint: 'e0dd8fed' },
      ...{ file_size_bytes: 2000, sha256: index.toString(16).padStart(64, '0'), generation_time: 1.25 },
      ...{ reference_mode: 'none', asset_index: index },
      ...(rest.reds
        ? { num_frames: rest.reds.length, fps: FPS, duration_seconds: rest.reds.length / FPS }
        : {}),
    },
  }
}

async function writeVariant(folder: string, variant: TestVariant, index: number): Promise<void> {
  const own = join(folder, 'cues', variant.cue, variant.variant)
  await mkdir(own, { recursive: true })
  const { stepsMs, every = 1, size = [32, 32] } = variant
  const steps = stepsMs ?? []
  for (let step = 1; step <= steps.length; step++) {
    if (step % every !== 0 && step !== steps.length) continue
    await writeFile(join(own, `${step}.png`), await pngOf(size, index, step / (steps.length + 1)))
  }
  await writeFile(join(own, 'final.png'), await pngOf(size, index, 1))
  if (variant.reds) await writeVideo(own, size, variant.reds, variant.clip)
  if (stepsMs === null) return
  const stepDurations = Object.fromEntries([
    ...stepsMs.map((durationMs, place) => [String(place + 1), durationMs] as const),
    ['final', variant.finalMs ?? 40] as const,
  ])
  await writeFile(join(own, 'timing.json'), JSON.stringify({ stepDurations }))
}

async function writeVideo(
  folder: string,
  [width, height]: readonly [number, number],
  reds: readonly number[],
  format: NonNullable<TestVariant['clip']> = 'mp4',
): Promise<void> {
  const path = join(folder, `final.${format}`)
  const options = { path, format, width, height, frameRate: parseFrameRate(FPS) } as const
  const writer = await createVideoWriter(options)
  for (const red of reds) {
    const rgb = new Uint8Array(width * height * 3)
    for (let at = 0; at < rgb.length; at += 3) rgb.set([red, 40, 40], at)
    await writer.write({ rgb, width, height })
  }
  await writer.end()
}

/** One flat colour, which tells variant and step apart: red grows with the step. */
function pngOf([width, height]: readonly [number, number], index: number, share: number): Promise<Buffer> {
  const background = { r: Math.round(share * 255), g: (index * 37) % 256, b: 90 }
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer()
}

/** A live picture. */
export function jpegOf(width: number, height: number, red: number): Promise<Buffer> {
  const background = { r: red, g: 60, b: 120 }
  return sharp({ create: { width, height, channels: 3, background } })
    .jpeg({ quality: 75 })
    .toBuffer()
}
