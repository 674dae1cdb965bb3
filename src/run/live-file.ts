/**
 * `--live-file`: the newest preview of a unit as a file that another program watches. A convenience: whatever goes
 * wrong with it is a warning, and neither the preview nor the picture is touched.
 */
import { dirname } from 'node:path'
import { removeFileInside } from '../artifacts/confined-files.ts'
import { makeFolder, PRIVATE_FILE, PRIVATE_FOLDER } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import type { WriteHook } from '../artifacts/write-points.ts'
import { messageOf } from '../errors.ts'
import type { PrepareWarning } from './prepared.ts'

export interface LiveFile {
  /** Replaces the file by a step's PNG, unless a later step stands there. Never rejects. */
  readonly show: (step: number, png: Uint8Array) => Promise<void>
  /** Removes the file; the next step that is shown may be any. Never rejects. */
  readonly hide: () => Promise<void>
}

export interface LiveFileOptions {
  /** The output folder. */
  readonly out: string
  /** `<out>/.pregen/live/<cue>/<variant>_preview.png` */
  readonly path: string
  readonly warn: (warning: PrepareWarning) => void
  readonly onPoint: WriteHook
}

export function createLiveFile({ out, path, warn, onPoint }: LiveFileOptions): LiveFile {
  let shown = 0
  let tail: Promise<void> = Promise.resolve()
  // One after the other: a slow write of an early step must not replace a later one.
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    tail = tail.then(async () => {
      try {
        await work()
      } catch (error) {
        warn({ code: 'W_LIVE_FILE', message: `The live file ${path} does not follow: ${messageOf(error)}` })
      }
    })
    return tail
  }
  return {
    show: (step, png) =>
      inTurn(async () => {
        if (step < shown) return
        shown = step
        const inside = confine(out)
        makeFolder(inside, dirname(path), PRIVATE_FOLDER)
        await writeFileDurably(path, png, { inside, mode: PRIVATE_FILE, syncFolder: false, onPoint })
      }),
    hide: () =>
      inTurn(async () => {
        shown = 0
        await removeFileInside(confine(out), path)
      }),
  }
}
