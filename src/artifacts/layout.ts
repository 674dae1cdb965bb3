/** Every name, path and key that pregen writes is made here, and nothing that is made here leaves its root. */
import { extname, join, resolve, sep } from 'node:path'
import { MAX_KEY_BYTES } from '../cue-sheet/ids.ts'
import { PregenError } from '../errors.ts'
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

/** The longest file name of ext4, APFS and NTFS, in bytes. */
export const MAX_NAME_BYTES = 255

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
const FRAMES_FOLDER = 'frames'

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

/** A key's folder of a variant (or of whatever else) and the name in it, `frames/0001.png` included. */
export function splitKey(key: string): { readonly folder: string; readonly name: string } {
  const slash = key.lastIndexOf('/')
  const plain = { folder: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) }
  const above = plain.folder.lastIndexOf('/')
  // Asked about each of a hundred thousand objects.
  if (above < 0 || !plain.folder.endsWith(FRAMES_FOLDER)) return plain
  if (!VARIANT_FOLDERS.includes(plain.folder.slice(above + 1))) return plain
  const nested = { folder: key.slice(0, above), name: key.slice(above + 1) }
  return parseVariantKey(nested.folder) === null ? plain : nested
}

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

export interface LayoutOptions {
  /** The output folder (`--out`). */
  readonly out: string
  /** First part of every key: the sheet's `root`, `foigoi` unless it says otherwise. */
  readonly root: string
  readonly version: string
}

export interface Layout {
  /** Absolute path of the output folder. */
  readonly out: string
  /** `foigoi/<version>`, the key prefix of all that is published; no slash at the end. */
  readonly prefix: string
  readonly manifestKey: string
  readonly manifestPath: string
  /** Key prefix of a variant, and its name in the ledger: `foigoi/<version>/cues/<cue>/<variant>`. */
  variantKey(cue: string, variant: string): string
  variantFolder(cue: string, variant: string): string
  fileKey(cue: string, variant: string, name: string): string
  filePath(cue: string, variant: string, name: string): string
  readonly state: StateLayout
}

/** What a run keeps for itself, outside the published tree. */
export interface StateLayout {
  readonly folder: string
  readonly ledgerPath: string
  readonly lockPath: string
  readonly liveFolder: string
  readonly jobsFolder: string
  livePreviewPath(cue: string, variant: string): string
}

/**
 * @throws PregenError `E_PATH_ESCAPE` where a root, version, cue or variant could lead out of its folder or is no
 *   portable name, `E_KEY_TOO_LONG` where a key or name is longer than stores and file systems take
 */
export function createLayout(options: LayoutOptions): Layout {
  const out = resolve(options.out)
  const prefix = `${checkRoot(options.root)}/${checkSegment(options.version, 'version id')}`
  const variantKey = (cue: string, variant: string) =>
    checkKey(
      `${prefix}/cues/${checkSegment(cue, 'cue id')}/${checkSegment(variant, 'variant id')}`,
      ROOM_FOR_NAME,
    )
  const fileKey = (cue: string, variant: string, name: string) => {
    if (!isVariantFileName(name)) throw refusal('file name', name, 'it is not a file of a variant')
    return `${variantKey(cue, variant)}/${name}`
  }
  return {
    out,
    prefix,
    manifestKey: checkKey(`${prefix}/${MANIFEST_NAME}`),
    manifestPath: pathOfKey(out, `${prefix}/${MANIFEST_NAME}`),
    variantKey,
    variantFolder: (cue, variant) => pathOfKey(out, variantKey(cue, variant)),
    fileKey,
    filePath: (cue, variant, name) => pathOfKey(out, fileKey(cue, variant, name)),
    state: createStateLayout(out),
  }
}

/** The run's own folder, which needs no version: `<out>/.pregen/`. */
export function createStateLayout(out: string): StateLayout {
  const folder = join(resolve(out), '.pregen')
  const liveFolder = join(folder, 'live')
  return {
    folder,
    ledgerPath: join(folder, 'ledger.ndjson'),
    lockPath: join(folder, 'lock'),
    liveFolder,
    jobsFolder: join(folder, 'jobs'),
    livePreviewPath: (cue, variant) =>
      join(liveFolder, checkSegment(cue, 'cue id'), `${checkSegment(variant, 'variant id')}_preview.png`),
  }
}

/** `cue`, `variant` and `prefix` of a variant's key, or null for any other key. */
export function parseVariantKey(key: string): { prefix: string; cue: string; variant: string } | null {
  const parts = key.split('/')
  if (parts.length < 5 || parts[parts.length - 3] !== 'cues') return null
  return {
    prefix: parts.slice(0, -3).join('/'),
    cue: parts[parts.length - 2] ?? '',
    variant: parts[parts.length - 1] ?? '',
  }
}

/** Whether a key that was read back from somewhere is one that `variantKey` makes. */
export function isVariantKey(key: string): boolean {
  return parseVariantKey(key) !== null && isKey(key)
}

/** Whether every part of a key is a name that pregen gives, and the whole not too long. */
export function isKey(key: string): boolean {
  return Buffer.byteLength(key) <= MAX_KEY_BYTES && key.split('/').every(isSegment)
}

const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,200}$/

function isSegment(part: string): boolean {
  if (PLAIN.test(part)) return !RESERVED.test(part)
  try {
    checkSegment(part, 'key')
    return true
  } catch (error) {
    if (error instanceof PregenError) return false
    throw error
  }
}

/**
 * The path of a key under a folder.
 * @throws PregenError `E_PATH_ESCAPE` for a key that would leave it
 */
export function pathOfKey(out: string, key: string): string {
  for (const part of key.split('/')) checkSegment(part, 'key')
  const base = resolve(out)
  const path = resolve(base, ...key.split('/'))
  if (!path.startsWith(base.endsWith(sep) ? base : base + sep))
    throw refusal('key', key, 'it leaves its root')
  return path
}

function checkRoot(root: string): string {
  for (const part of root.split('/')) checkSegment(part, 'root')
  return root
}

// Device names of Windows, which no folder there may have, with or without an extension.
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/i
// Separators, what Windows forbids, controls, and what turns or hides text on a screen.
const FORBIDDEN = /[\\/:*?"<>|\p{Cc}\p{Cs}\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/u

/** One part of a path: a portable, visible file name. */
function checkSegment(part: string, what: string): string {
  if (part === '') throw refusal(what, part, 'it is empty')
  if (part === '.' || part === '..') throw refusal(what, part, 'it names a folder above')
  if (FORBIDDEN.test(part)) throw refusal(what, part, 'it holds a character that paths cannot hold safely')
  if (/^[.-]/.test(part)) throw refusal(what, part, 'it begins with "." or "-"')
  if (/[. ]$/.test(part)) throw refusal(what, part, 'it ends with a dot or a space')
  if (RESERVED.test(part)) throw refusal(what, part, 'Windows reserves it for a device')
  // The live picture of a variant adds `_preview.png`.
  if (Buffer.byteLength(part) > MAX_NAME_BYTES - '_preview.png'.length) {
    throw new PregenError(
      'E_KEY_TOO_LONG',
      `the ${what} "${part.slice(0, 40)}…" is too long for a file name`,
      {
        help: `Keep it within ${MAX_NAME_BYTES - '_preview.png'.length} bytes.`,
      },
    )
  }
  return part
}

/** What a variant's key leaves free, for the longest name of its files. */
const ROOM_FOR_NAME = `/${THUMBNAIL_NAME}`.length

function checkKey(key: string, room = 0): string {
  if (Buffer.byteLength(key) <= MAX_KEY_BYTES - room) return key
  throw new PregenError(
    'E_KEY_TOO_LONG',
    `the key ${key.slice(0, 60)}… is longer than the ${MAX_KEY_BYTES} bytes that buckets take`,
    { help: 'Shorten the version, cue or variant id.' },
  )
}

function refusal(what: string, value: string, why: string): PregenError {
  return new PregenError(
    'E_PATH_ESCAPE',
    `the ${what} ${JSON.stringify(value.slice(0, 80))} is refused: ${why}`,
    {
      help: 'Use letters, digits, "-" and "_".',
    },
  )
}
