/**
 * Videos that units are drawn from: checked before the run, and brought to size when their unit's turn comes, picture by picture
 * into a scratch file that the inference process reads, so that no process holds a whole one.
 */
import { join } from 'node:path'
import { openScratch, removeScratch } from '../artifacts/scratch-file.ts'
import { temporaryName } from '../artifacts/temporary-name.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import type { PictureJob } from '../engine/inference-calls.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import { type Unit, unitName } from '../plan/unit.ts'
import { changedSincePlan } from './check-init-images.ts'
import type { PreparedUnit } from './prepared.ts'
import type { SourceClip } from './source-clip.ts'

type SourceVideo = NonNullable<PictureJob['sourceVideo']>

/** How many pictures the folders that a sheet names hold. What is wrong with one is told by `checkSourceVideos`. */
export async function countClips(sheet: CueSheet): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const { variants } of sheet.cues) {
    for (const { settings } of variants) {
      const { video } = settings
      if (video === undefined || counts.has(video)) continue
      try {
        counts.set(video, (await openClip(video)).frames)
      } catch (error) {
        if (!(error instanceof PregenError)) throw error
      }
    }
  }
  return counts
}

/**
 * @returns sha-256 of the pictures that a unit is drawn from
 * @throws PregenErrors with the faults of all of them
 */
export async function checkSourceVideos(
  units: readonly Unit[],
  sheet: CueSheet,
  signal?: AbortSignal,
): Promise<(unit: Unit) => string | undefined> {
  const hashes = new Map<string, string>()
  const faults = new Map<string, PregenError>()
  for (const unit of units) {
    const key = keyOf(unit)
    if (unit.video === undefined || hashes.has(key) || faults.has(key)) continue
    try {
      hashes.set(key, await (await openClip(unit.video.source)).hash(unit.numFrames ?? 1, signal))
    } catch (error) {
      if (!(error instanceof PregenError) || signal?.aborted) throw error
      const { code, message, help, exitCode } = error
      const cue = sheet.cues.find(({ id }) => id === unit.cue)
      const origin = cue?.variants.find(({ id }) => id === unit.variant)?.origins.video
      const location = origin && sheet.locate(origin)
      const text = `${unitName(unit)}: ${message}`
      faults.set(key, new PregenError(code, text, { help, exitCode, cause: error, location }))
    }
  }
  if (faults.size > 0) throw new PregenErrors([...faults.values()])
  return (unit) => hashes.get(keyOf(unit))
}

const keyOf = ({ video, numFrames }: Unit) => JSON.stringify([video?.source ?? null, numFrames])

export interface SourceVideos {
  /** undefined: the unit is drawn from none. @throws PregenError `E_IMAGE_CHANGED`, `E_IMAGE_…` */
  readonly load: (entry: PreparedUnit) => Promise<SourceVideo | undefined>
  /** The unit is done with its video. */
  readonly release: (entry: PreparedUnit) => Promise<void>
  /** Removes all scratch files. */
  readonly close: () => Promise<void>
}

interface Made {
  readonly video: SourceVideo
  readonly sha256: string
}

interface Held {
  readonly made: Promise<Made>
  readonly users: Set<PreparedUnit>
}

/** @param scratchFolder the run's own, within the output folder */
export function createSourceVideos(scratchFolder: string): SourceVideos {
  const held = new Map<string, Held>()
  let newest = ''
  const heldKey = ({ unit }: PreparedUnit) =>
    JSON.stringify([keyOf(unit), unit.video?.fit, unit.width, unit.height])
  const drop = async (key: string): Promise<void> => {
    const [dropped] = await Promise.allSettled([held.get(key)?.made])
    held.delete(key)
    if (dropped.status === 'fulfilled' && dropped.value) await removeScratch(dropped.value.video.path)
  }
  /** The newest is kept: neighbours in a sheet mostly share their video. */
  const dropUnused = async (): Promise<void> => {
    for (const [key, { users }] of held) if (users.size === 0 && key !== newest) await drop(key)
  }
  return {
    async load(entry) {
      const { unit, parts } = entry
      if (unit.video === undefined) return undefined
      const key = heldKey(entry)
      newest = key
      const own = held.get(key) ?? { made: bringToSize(unit, scratchFolder), users: new Set() }
      held.set(key, own)
      own.users.add(entry)
      await dropUnused()
      const { video, sha256 } = await own.made
      if (sha256 !== parts.videoSha256) throw changedSincePlan('The video')
      return video
    },
    async release(entry) {
      if (entry.unit.video === undefined) return
      held.get(heldKey(entry))?.users.delete(entry)
      await dropUnused()
    },
    async close() {
      for (const key of [...held.keys()]) await drop(key)
    },
  }
}

/** The codecs are heavy, and most sheets start from no video. */
async function openClip(source: string): Promise<SourceClip> {
  const { openSourceClip } = await import('./source-clip.ts')
  return openSourceClip(source)
}

async function bringToSize(unit: Unit, scratchFolder: string): Promise<Made> {
  const { width, height, video, numFrames = 1 } = unit
  if (video === undefined) throw new Error('the unit is drawn from no video')
  const clip = await openClip(video.source)
  const path = join(scratchFolder, temporaryName())
  const scratch = await openScratch(path)
  let frames = 0
  let sha256: string
  try {
    sha256 = await clip.read(numFrames, { width, height }, video.fit, async ({ rgb }) => {
      await scratch.append(rgb)
      frames++
    })
  } finally {
    await scratch.close()
  }
  // A file may have fewer than it says.
  if (frames < numFrames) throw changedSincePlan('The video')
  return { sha256, video: { path, key: `${sha256} ${width}x${height} ${video.fit}`, frames } }
}
