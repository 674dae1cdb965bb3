/** Names of files: what each is, their order, and how a store is told to serve them. Paths and keys are made of them in layout.ts. */
import { extname } from 'node:path'
import type { OutputVideoFormat } from '../media/video-formats.ts'
import { OUTPUT_KINDS, type OutputKind } from './output-kinds.ts'

export const THUMBNAIL_NAME = 'final.thumb.webp'
/** The marker: its presence says that every step picture is there. */
export const TIMING_NAME = 'timing.json'
export const MANIFEST_NAME = 'manifest.json'
/** Beside the sheet's root: films of steps, `films/<version>/<cue>/<variant>.mp4`. */
export const FILMS_FOLDER = 'films'
/** The page beside the manifest, in the order in which it is written and sent: the root after all that it asks for. */
export const PAGE_NAMES = ['page.js', 'page.css', 'icon.svg', 'player.js', 'index.html'] as const
/** Its presence says that a version has the page. */
export const PAGE_ROOT = 'index.html'
/** On disk alone: a shard's own lines, which stay apart when several shards' trees are copied together. */
export const SHARD_MANIFEST = /^manifest\.shard-\d{1,6}-of-\d{1,6}\.json$/
/** How the ledger remembers, beside the names of a unit's files, that a bucket has the unit's record. */
export const RECORD_MEMO = '.record'

/** `7.png`. Steps count from 1. */
export function stepName(step: number): string {
  if (!Number.isSafeInteger(step) || step < 1) throw new RangeError(`a step counts from 1, not ${step}`)
  return `${step}.png`
}

const STEP_NAME = /^([1-9]\d{0,8})\.png$/

/** The step of `7.png`, or null for any other name. */
export function stepOfName(name: string): number | null {
  const match = STEP_NAME.exec(name)
  return match ? Number(match[1]) : null
}

/** `7.webp`, beside `7.png`: all frames of a video's step. */
export function stepAnimationName(step: number): string {
  return stepName(step).replace(/png$/, 'webp')
}

const STEP_ANIMATION_NAME = /^([1-9]\d{0,8})\.webp$/

/** The step of `7.webp`, or null for any other name. */
export function stepOfAnimationName(name: string): number | null {
  const match = STEP_ANIMATION_NAME.exec(name)
  return match ? Number(match[1]) : null
}

/** The first frame of a video, beside it. */
export const POSTER_NAME = 'final.png'
export const FRAMES_FOLDER = 'frames'

/** `frames/0001.png`. Frames count from 1. */
export function frameName(frame: number): string {
  if (!Number.isSafeInteger(frame) || frame < 1 || frame > MAX_FRAME) {
    throw new RangeError(`a frame counts from 1 to ${MAX_FRAME}, not ${frame}`)
  }
  return `${FRAMES_FOLDER}/${String(frame).padStart(4, '0')}.png`
}

const MAX_FRAME = 9999
const FRAME_NAME = /^frames\/(\d{4})\.png$/

/** The frame of `frames/0007.png`, or null for any other name. */
export function frameOfName(name: string): number | null {
  const frame = Number(FRAME_NAME.exec(name)?.[1] ?? 0)
  return frame === 0 ? null : frame
}

/** Folders that a variant's folder may hold, of files of its own. */
export const VARIANT_FOLDERS: readonly string[] = [FRAMES_FOLDER]

/** @throws Error for a kind that there is not */
export function outputKindOf(id: string): OutputKind {
  const kind = OUTPUT_KINDS.find((row) => row.id === id)
  if (!kind) throw new Error(`there is no output of kind "${id}"`)
  return kind
}

/**
 * The kind of a manifest's line.
 * @throws Error for a kind that there is not, which no manifest that was read has
 */
export function outputKindOfAsset({ type, metadata: { format } }: AssetKind): OutputKind {
  const kind = OUTPUT_KINDS.find((row) => row.type === type && row.format === format)
  if (!kind) throw new Error(`there is no output of type "${type}" and format "${format}"`)
  return kind
}

interface AssetKind {
  readonly type: string
  readonly metadata: { readonly format: string }
}

/** The kind of a video that is written as one of its formats. */
export function outputKindEncodedAs(format: OutputVideoFormat): OutputKind {
  const kind = OUTPUT_KINDS.find(({ encoder }) => encoder === format)
  if (!kind) throw new Error(`no kind of output is encoded as ${format}`)
  return kind
}

/** The kind whose final file has this name; undefined for every other file. */
export function outputKindOfFile(name: string): OutputKind | undefined {
  return OUTPUT_KINDS.find((kind) => kind.name === name)
}

/** The kind that a variant's files are of, where nothing says: a video has its first frame beside it. */
export function outputKindOfFiles(names: readonly string[]): OutputKind | undefined {
  return OUTPUT_KINDS.findLast(({ name }) => names.includes(name))
}

/** Files that follow the step pictures, in order. */
const LAST_NAMES = [...OUTPUT_KINDS.map(({ name }) => name), THUMBNAIL_NAME, TIMING_NAME]

/** Whether a file name is one that a variant's folder may hold. */
export function isVariantFileName(name: string): boolean {
  return (
    LAST_NAMES.includes(name) ||
    stepOfName(name) !== null ||
    frameOfName(name) !== null ||
    stepOfAnimationName(name) !== null
  )
}

/** Order in which a variant's files are listed and sent: steps, frames, final, thumbnail, and the marker last. */
export function compareVariantFiles(a: string, b: string): number {
  return fileRank(a) - fileRank(b)
}

function fileRank(name: string): number {
  const step = stepOfName(name)
  if (step !== null) return step
  const animated = stepOfAnimationName(name)
  if (animated !== null) return animated + 0.5
  const frame = frameOfName(name)
  if (frame !== null) return 1e9 + frame
  return 2e9 + LAST_NAMES.indexOf(name) + 1
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.json': 'application/json',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.mov': 'video/quicktime',
  '.gif': 'image/gif',
  '.ffconcat': 'text/plain; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
}

/** Content type of a file or key: a final file's by its kind, any other's by its extension. */
export function contentTypeOf(key: string): string {
  const kind = outputKindOfFile(key.slice(key.lastIndexOf('/') + 1))
  return kind?.contentType ?? CONTENT_TYPES[extname(key)] ?? 'application/octet-stream'
}

/** Whether a name is one of the page's files. */
export function isPageName(name: string): boolean {
  return PAGE_NAMES.some((known) => known === name)
}

/**
 * Pictures never change under one version id, so caches may keep them for ever. The pointers that say what is
 * there (manifest.json, timing.json) must be asked for anew, and so must the page, which changes with a release.
 */
export function cacheControlOf(key: string): string {
  const isPointer = key.endsWith('.json') || isPageName(key.slice(key.lastIndexOf('/') + 1))
  return isPointer ? 'no-cache' : 'public, max-age=31536000, immutable'
}
