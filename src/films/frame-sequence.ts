/** A film as numbered pictures, `Name_00000.png` from 0 at a constant rate, and `frames.json`, which says which rate. */
import { basename, join } from 'node:path'
import { removeFileInside } from '../artifacts/confined-files.ts'
import { removeFolder, withFolder } from '../artifacts/confined-folder.ts'
import { type Confinement, confine } from '../artifacts/confinement.ts'
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

/** Writes `frames.json` last: where it stands, all its pictures do. What ends before leaves no picture. */
export async function writeSequence(request: SequenceRequest): Promise<void> {
  const { root, folder, frameRate, painter, schedule } = request
  const { endTick } = schedule
  const inside = confine(root)
  const name = basename(folder)
  await makeFolderInside(root, folder)
  await removeFileInside(inside, join(folder, SEQUENCE_NAME))
  try {
    await writeFrames(request, inside)
  } catch (error) {
    // Half a film is none. What else lies there is another's.
    for (const half of await framesFrom(request, 0)) await removeFileInside(inside, join(folder, half))
    if ((await namesIn(request)).length === 0) removeFolder(inside, folder)
    throw error
  }
  for (const stale of await framesFrom(request, endTick)) await removeFileInside(inside, join(folder, stale))
  const { width, height } = painter
  const facts = { fps: rateText(frameRate), frames: endTick, width, height, pattern: `${name}_%05d.png` }
  const bytes = new TextEncoder().encode(`${JSON.stringify(facts)}\n`)
  await writeFileDurably(join(folder, SEQUENCE_NAME), bytes, { inside })
}

async function writeFrames(request: SequenceRequest, inside: Confinement): Promise<void> {
  const { folder, painter, schedule, signal } = request
  const { moments, endTick } = schedule
  const name = basename(folder)
  for (const [at, { tick, shown }] of moments.entries()) {
    const { rgb, width, height } = await painter.paint(shown)
    const png = await encodePng(rgb, width, height)
    for (let frame = tick; frame < (moments[at + 1]?.tick ?? endTick); frame++) {
      signal?.throwIfAborted()
      await writeFileDurably(join(folder, sequenceFrameName(name, frame)), png, { inside, syncFolder: false })
    }
  }
}

/** Pictures of a longer film that was here before. */
async function framesFrom(request: SequenceRequest, count: number): Promise<string[]> {
  const prefix = `${basename(request.folder)}_`
  return (await namesIn(request)).filter((name) => {
    if (!name.startsWith(prefix)) return false
    const digits = /^(\d{5,9})\.png$/.exec(name.slice(prefix.length))?.[1]
    return digits !== undefined && Number(digits) >= count
  })
}

async function namesIn({ root, folder }: SequenceRequest): Promise<string[]> {
  return await withFolder(confine(root), folder, (opened) => opened.list().map((entry) => entry.name))
}
