/** Writes one variant's folder so that `timing.json` never stands beside anything but its own, whole set. */

import { dirname, join } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { removeFileInside, stateInside } from './confined-files.ts'
import { makeFolder, removeFolder, syncOpened, withFolder } from './confined-folder.ts'
import { type Confinement, confine } from './confinement.ts'
import { beginDurableFile, type DurableFile } from './durable-file.ts'
import { type WritableFileSystem, writeError, writeFileDurably } from './durable-write.ts'
import {
  compareVariantFiles,
  frameName,
  outputKindOf,
  POSTER_NAME,
  stepAnimationName,
  stepName,
  THUMBNAIL_NAME,
  TIMING_NAME,
} from './file-names.ts'
import { hashBytes, listVariantFiles } from './file-state.ts'
import type { LedgerFile } from './ledger.ts'
import { makeFolderInside, variantRemoved } from './output-folder.ts'
import type { OutputKind } from './output-kinds.ts'
import { encodeTiming, type Timing } from './timing.ts'
import { noWriteHook, type WriteHook } from './write-points.ts'

export interface VariantWriter {
  readonly folder: string
  /** Several pictures may be in writing at once. @returns the file's path */
  writeStep(step: number, png: Uint8Array): Promise<string>
  /** All frames of a video's step, beside its picture. */
  writeStepAnimation(step: number, webp: Uint8Array): Promise<string>
  /** A frame of a video, from 1. */
  writeFrame(frame: number, png: Uint8Array): Promise<string>
  /** The first frame of a video, beside it. */
  writePoster(png: Uint8Array): Promise<string>
  /** @param bytes as the unit's kind of output encodes them */
  writeFinal(bytes: Uint8Array): Promise<string>
  /** The final file, for an encoder to write: it counts once it is committed. */
  beginFinal(): DurableFile
  writeThumbnail(webp: Uint8Array): Promise<string>
  /**
   * Waits for all writes, makes them last, and only then writes `timing.json`, where there is one to write.
   * @param timing null: no step pictures were asked for, or one of them failed
   * @returns all files of the variant, steps first, the marker last
   */
  finish(timing: Timing | null): Promise<readonly LedgerFile[]>
}

export interface VariantWriterOptions {
  /** The output folder, which nothing leaves. */
  readonly out: string
  /** `layout.variantFolder(cue, variant)`. */
  readonly folder: string
  /** What the unit's final file is; `image` unless given. */
  readonly output?: OutputKind | undefined
  readonly onPoint?: WriteHook | undefined
  readonly fileSystem?: WritableFileSystem | undefined
}

/**
 * Opens a variant's folder for (re)writing. What an earlier run left goes first, its marker before all else; an
 * earlier final file of the same kind stays until the new one takes its place.
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_FOLDER`, `E_OUTPUT_REMOVED`, `E_DISK_FULL`, `E_WRITE_FAILED`
 */
export async function createVariantWriter(options: VariantWriterOptions): Promise<VariantWriter> {
  const { out, folder, output = outputKindOf('image'), onPoint = noWriteHook, fileSystem } = options
  const inside = await whileItStands(folder, async () => {
    await makeFolderInside(out, folder)
    const confinement = confine(out)
    await onPoint('variant-begun', folder)
    await removeStale({ inside: confinement, folder, kept: output.name, onPoint })
    return confinement
  })

  const files = new Map<string, Promise<LedgerFile>>()
  const write = async (name: string, bytes: Uint8Array, sync: boolean): Promise<string> => {
    const path = join(folder, name)
    const written = (async () => {
      await whileItStands(folder, async () => {
        if (dirname(path) !== folder) makeFolder(inside, dirname(path))
        await writeFileDurably(path, bytes, { inside, syncFolder: sync, onPoint, fileSystem })
      })
      const state = await stateInside(inside, path)
      const sums = { sha256: hashBytes(bytes), md5: hashBytes(bytes, 'md5') }
      return { name, ...sums, sizeBytes: bytes.byteLength, mtimeMs: state?.mtimeMs ?? 0 }
    })()
    files.set(name, written)
    await written
    return path
  }

  return {
    folder,
    writeStep: (step, png) => write(stepName(step), png, false),
    writeStepAnimation: (step, webp) => write(stepAnimationName(step), webp, false),
    writeFrame: (frame, png) => write(frameName(frame), png, false),
    writePoster: (png) => write(POSTER_NAME, png, false),
    writeFinal: (bytes) => write(output.name, bytes, false),
    beginFinal() {
      const file = beginDurableFile(join(folder, output.name), { inside })
      return {
        ...file,
        commit() {
          const written = whileItStands(folder, file.commit)
          files.set(
            output.name,
            written.then((facts) => ({ name: output.name, ...facts })),
          )
          return written
        },
      }
    },
    writeThumbnail: (webp) => write(THUMBNAIL_NAME, webp, false),
    async finish(timing) {
      // A failed preview has been told to its writer already; here only what stands on disk counts.
      const settled = await Promise.allSettled(files.values())
      if (!files.has(output.name)) throw new Error(`${folder} has no ${output.name} to finish`)
      await files.get(output.name)
      // What was removed since would leave a marker beside half a set.
      const standing = new Set(await listVariantFiles(folder, inside))
      const isRemoved = (name: string, index: number) =>
        settled[index]?.status === 'fulfilled' && !standing.has(name)
      if ([...files.keys()].some(isRemoved)) throw variantRemoved(folder)
      await whileItStands(folder, async () => {
        await syncNamed(inside, folder, onPoint)
        for (const name of foldersOf(files.keys())) await syncNamed(inside, join(folder, name), onPoint)
      })
      if (timing) {
        const failed = settled.find((result) => result.status === 'rejected')
        if (failed) throw failed.reason
        await onPoint('before-marker', folder)
        await write(TIMING_NAME, encodeTiming(timing), true)
        await onPoint('marker-written', folder)
      }
      const all: LedgerFile[] = []
      for (const result of await Promise.allSettled(files.values())) {
        if (result.status === 'fulfilled') all.push(result.value)
      }
      return all.sort((a, b) => compareVariantFiles(a.name, b.name))
    },
  }
}

function isGone(error: unknown): boolean {
  const cause = error instanceof PregenError ? error.cause : error
  return errorCode(cause) === 'ENOENT'
}

/** What is missing in the midst of writing has been removed by somebody. @throws PregenError `E_OUTPUT_REMOVED` */
async function whileItStands<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isGone(error) ? variantRemoved(folder, error) : error
  }
}

interface StaleFolder {
  readonly inside: Confinement
  readonly folder: string
  readonly kept: string
  readonly onPoint: WriteHook
}

/**
 * Removes all that an earlier run left but `kept`: its marker, step pictures, thumbnail, another kind's final file. The marker's removal is made to last first: from
 * then on readers show the final picture only.
 */
async function removeStale({ inside, folder, kept, onPoint }: StaleFolder): Promise<void> {
  const names = await listVariantFiles(folder, inside)
  const remove = async (name: string) => {
    try {
      await removeFileInside(inside, join(folder, name))
    } catch (error) {
      throw writeError(join(folder, name), error)
    }
  }
  if (names.includes(TIMING_NAME)) {
    await remove(TIMING_NAME)
    await syncNamed(inside, folder, onPoint)
    await onPoint('stale-marker-removed', folder)
  }
  const rest = names.filter((name) => name !== kept && name !== TIMING_NAME)
  await Promise.all(rest.map(remove))
  for (const name of foldersOf(rest)) removeFolder(inside, join(folder, name))
  if (rest.length > 0) await onPoint('steps-cleared', folder)
}

function foldersOf(names: Iterable<string>): Set<string> {
  return new Set([...names].map((name) => dirname(name)).filter((name) => name !== '.'))
}

async function syncNamed(inside: Confinement, folder: string, onPoint: WriteHook): Promise<void> {
  try {
    await withFolder(inside, folder, (opened) => syncOpened(opened, onPoint))
  } catch (error) {
    throw writeError(folder, error)
  }
}
