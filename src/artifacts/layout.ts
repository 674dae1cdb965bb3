/** Every path and key that pregen writes is made here, and nothing that is made here leaves its root. */
import { join, resolve, sep } from 'node:path'
import { MAX_KEY_BYTES } from '../cue-sheet/ids.ts'
import { PregenError } from '../errors.ts'
import {
  FRAMES_FOLDER,
  isVariantFileName,
  MANIFEST_NAME,
  THUMBNAIL_NAME,
  VARIANT_FOLDERS,
} from './file-names.ts'

/** The longest file name of ext4, APFS and NTFS, in bytes. */
export const MAX_NAME_BYTES = 255

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
  /** Records of runs, a folder each: whoever submits one writes its record without the lock. */
  readonly runsFolder: string
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
    runsFolder: join(folder, 'runs'),
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
