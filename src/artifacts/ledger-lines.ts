/** The lines of a ledger: what each says, how it is read from text, and what it changes. */
import type { DigestParts } from '../plan/digest.ts'
import { isRecord, isShallow } from './is-record.ts'
import { isKey, isPageName, isVariantFileName, isVariantKey, MANIFEST_NAME, RECORD_MEMO } from './layout.ts'
import { isAsset, type ManifestAsset } from './manifest.ts'

/** One file of a unit as it was when the unit was finished. */
export interface LedgerFile {
  /** Name in the variant's folder. */
  readonly name: string
  /** Lower-case hex. */
  readonly sha256: string
  /** Lower-case hex; what a store's ETag is compared with. Ledgers of other makings may lack it. */
  readonly md5?: string | undefined
  readonly sizeBytes: number
  readonly mtimeMs: number
}

/** A finished unit. `digest` and `parts` are the plan's; the ledger only keeps them. */
export interface LedgerUnit {
  readonly digest: string
  /** What the unit's digest is made of, by which the plan names what changed. */
  readonly parts: DigestParts
  readonly files: readonly LedgerFile[]
  /** false: the final picture is there but a preview failed, so the unit counts as not done. */
  readonly complete?: boolean | undefined
  /** From start to the last file, for estimates of later runs. */
  readonly durationMs?: number | undefined
  readonly steps?: number | undefined
  /** The unit's line in manifest.json, kept for runs that skip the unit. */
  readonly asset?: ManifestAsset | undefined
  /** A call about this unit is on its way, or was never delivered: the next run makes it. */
  readonly callbackOwed?: true | undefined
}

/** An object that a store has confirmed. */
export interface SentObject {
  /** Of the file that was sent. */
  readonly sha256: string
  readonly sizeBytes: number
  readonly etag: string | null
}

export type Line =
  | {
      readonly type: 'unit'
      readonly key: string
      readonly unit: LedgerUnit | null
      /** Of the user and machine that wrote it, see `origin.ts`; lines of other makings have none. */
      readonly mark?: string | undefined
    }
  | {
      readonly type: 'sent'
      readonly target: string
      readonly key: string
      /** null = not there any more. */
      readonly objects: Readonly<Record<string, SentObject | null>>
    }

export type SentByTarget = Map<string, Map<string, Map<string, SentObject>>>

/** What the lines so far come to. */
export interface LedgerState {
  readonly units: Map<string, LedgerUnit>
  /** Marks of units, by key. */
  readonly marks: Map<string, string>
  readonly sent: SentByTarget
}

/** A later line about the same thing wins. */
export function applyLine(state: LedgerState, line: Line): void {
  if (line.type === 'unit') {
    if (line.unit) state.units.set(line.key, line.unit)
    else state.units.delete(line.key)
    if (line.unit && line.mark !== undefined) state.marks.set(line.key, line.mark)
    else state.marks.delete(line.key)
    return
  }
  const keys = state.sent.get(line.target) ?? new Map<string, Map<string, SentObject>>()
  const objects = keys.get(line.key) ?? new Map<string, SentObject>()
  state.sent.set(line.target, keys)
  keys.set(line.key, objects)
  for (const [name, object] of Object.entries(line.objects)) {
    if (object) objects.set(name, object)
    else objects.delete(name)
  }
}

/** The fewest lines that come to the same. */
export function liveLines(state: LedgerState): readonly Line[] {
  const lines: Line[] = []
  for (const [key, unit] of state.units) lines.push({ type: 'unit', key, unit, mark: state.marks.get(key) })
  for (const [target, keys] of state.sent) {
    for (const [key, objects] of keys) {
      lines.push({ type: 'sent', target, key, objects: Object.fromEntries(objects) })
    }
  }
  return lines
}

/** null: it is none of ours, or damaged; a key or name that could lead elsewhere is none of ours. */
export function parseLine(text: string): Line | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return (text.length < DEEP_BYTES || isShallow(value, MAX_LEVELS)) && isLine(value) ? value : null
}

const MAX_LEVELS = 16
/** A shorter text is not nested deep enough to do harm. */
const DEEP_BYTES = 2000
/** Names of parts are told to people: `prompt changed`. */
const PART_NAME = /^[A-Za-z][A-Za-z0-9]{0,40}$/

function isLine(value: unknown): value is Line {
  if (!isRecord(value) || typeof value.key !== 'string') return false
  const { key } = value
  if (value.type === 'unit') {
    if (!isVariantKey(key) || !(value.mark === undefined || typeof value.mark === 'string')) return false
    return value.unit === null || isUnit(value.unit, key)
  }
  if (value.type !== 'sent' || typeof value.target !== 'string' || !isRecord(value.objects)) return false
  return isKey(key) && Object.entries(value.objects).every(isSentEntry)
}

function isUnit(value: unknown, key: string): value is LedgerUnit {
  return (
    isRecord(value) &&
    typeof value.digest === 'string' &&
    isRecord(value.parts) &&
    Object.keys(value.parts).every((name) => PART_NAME.test(name)) &&
    Array.isArray(value.files) &&
    value.files.every(isLedgerFile) &&
    (value.complete === undefined || typeof value.complete === 'boolean') &&
    (value.durationMs === undefined || isFiniteNumber(value.durationMs)) &&
    (value.steps === undefined || isFiniteNumber(value.steps)) &&
    (value.callbackOwed === undefined || value.callbackOwed === true) &&
    (value.asset === undefined || isAssetOf(value.asset, key))
  )
}

function isAssetOf(value: unknown, key: string): value is ManifestAsset {
  return isAsset(value) && key.endsWith(`/cues/${value.cue}/${value.variant}`)
}

function isLedgerFile(value: unknown): value is LedgerFile {
  return (
    isRecord(value) &&
    typeof value.name === 'string' &&
    isVariantFileName(value.name) &&
    typeof value.sha256 === 'string' &&
    isSize(value.sizeBytes) &&
    typeof value.mtimeMs === 'number' &&
    (value.md5 === undefined || typeof value.md5 === 'string')
  )
}

function isSentEntry([name, object]: [string, unknown]): boolean {
  if (!isVariantFileName(name) && !isPageName(name) && name !== MANIFEST_NAME && name !== RECORD_MEMO)
    return false
  return object === null || isSentObject(object)
}

function isSentObject(value: unknown): value is SentObject {
  return (
    isRecord(value) &&
    typeof value.sha256 === 'string' &&
    isSize(value.sizeBytes) &&
    (value.etag === null || typeof value.etag === 'string')
  )
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
