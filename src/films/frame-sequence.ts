/** A film as numbered pictures, `Name_00000.png` from 0 at a constant rate, and `frames.json`, which says which rate. */
import { basename, join } from 'node:path'
import { removeFileInside } from '../artifacts/confined-files.ts'
import { withFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { makeFolderInside } from '../artifacts/output-folder.ts'
import { encodePng } from '../artifacts/png.ts'
import { type FrameRate, rateText } from '../media/frame-rate.ts'
import type { Painter } from './painter.ts'
import type { FilmSchedule } from './schedule.ts'

const SEQUENCE_NAME = 'frames.json'

export interface SequenceRequest {
  readonly root: string
  readonly folder: string
  readonly frameRate: FrameRate
  readonly painter: Painter
  readonly schedule: FilmSchedule
  readonly signal?: AbortSignal | undefined
}

const DIGITS = 5

/** `Wide_00000.png`. */
function sequenceFrameName(name: string, frame: number): string {
  return `${name}_${String(frame).padStart(DIGITS, '0')}.png`
}

/** Writes `frames.json` last: where it stands, all its pictures do. */
export async function writeSequence(request: SequenceRequest): Promise<void> {
  const { root, folder, frameRate, painter, schedule, signal } = request
  const { moments, endTick } = schedule
  const inside = confine(root)
  const name = basename(folder)
  await makeFolderInside(root, folder)
  await removeFileInside(inside, join(folder, SEQUENCE_NAME))
  for (const [at, { tick, shown }] of moments.entries()) {
    const { rgb, width, height } = await painter.paint(shown)
    const png = await encodePng(rgb, width, height)
    for (let frame = tick; frame < (moments[at + 1]?.tick ?? endTick); frame++) {
      signal?.throwIfAborted()
      await writeFileDurably(join(folder, sequenceFrameName(name, frame)), png, { inside, syncFolder: false })
    }
  }
  for (const stale of await framesFrom(request, endTick)) await removeFileInside(inside, join(folder, stale))
  const { width, height } = painter
  const facts = { fps: rateText(frameRate), frames: endTick, width, height, pattern: `${name}_%05d.png` }
  await writeFileDurably(
    join(folder, SEQUENCE_NAME),
    new TextEncoder().encode(`${JSON.stringify(facts)}\n`),
    {
      inside,
    },
  )
}

/** Pictures of a longer film that was here before. */
async function framesFrom({ root, folder }: SequenceRequest, count: number): Promise<string[]> {
  const prefix = `${basename(folder)}_`
  const names = await withFolder(confine(root), folder, (opened) => opened.list().map((entry) => entry.name))
  return names.filter((name) => {
    if (!name.startsWith(prefix)) return false
    const digits = /^(\d{5,9})\.png$/.exec(name.slice(prefix.length))?.[1]
    return digits !== undefined && Number(digits) >= count
  })
}
