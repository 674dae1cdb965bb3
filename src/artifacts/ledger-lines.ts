/** The lines of a ledger: what each says, how it is read from text, and what it changes. */

import type { DigestParts } from '../plan/digest.ts'
import { z } from '../zod.ts'
import { isPageName, isVariantFileName, MANIFEST_NAME, RECORD_MEMO } from './file-names.ts'
import { isKey, isVariantKey } from './layout.ts'
import { isAsset, type ManifestAsset } from './manifest.ts'
import { asWritten, isShallow } from './read-back.ts'

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
  if (text.length >= DEEP_BYTES && !isShallow(value, MAX_LEVELS)) return null
  return asWritten(lineSchema, value).data ?? null
}

const MAX_LEVELS = 16
/** A shorter text is not nested deep enough to do harm. */
const DEEP_BYTES = 2000
/** Names of parts are told to people: `prompt changed`. */
const PART_NAME = /^[A-Za-z][A-Za-z0-9]{0,40}$/

const sizeSchema = z.int().nonnegative()

const fileSchema: z.ZodType<LedgerFile> = z.looseObject({
  name: z.string().refine(isVariantFileName),
  sha256: z.string(),
  md5: z.string().optional(),
  sizeBytes: sizeSchema,
  mtimeMs: z.number(),
})

const unitSchema: z.ZodType<LedgerUnit> = z.looseObject({
  digest: z.string(),
  // What a part holds is the plan's own, and only compared.
  parts: z.custom<DigestParts>(
    (parts) =>
      typeof parts === 'object' &&
      parts !== null &&
      !Array.isArray(parts) &&
      Object.keys(parts).every((name) => PART_NAME.test(name)),
  ),
  files: z.array(fileSchema),
  complete: z.boolean().optional(),
  durationMs: z.number().optional(),
  steps: z.number().optional(),
  asset: z.custom<ManifestAsset>(isAsset).optional(),
  callbackOwed: z.literal(true).optional(),
})

const sentSchema: z.ZodType<SentObject> = z.looseObject({
  sha256: z.string(),
  sizeBytes: sizeSchema,
  etag: z.string().nullable(),
})

const lineSchema: z.ZodType<Line> = z.discriminatedUnion('type', [
  z
    .looseObject({
      type: z.literal('unit'),
      key: z.string().refine(isVariantKey),
      unit: unitSchema.nullable(),
      mark: z.string().optional(),
    })
    .refine(({ key, unit }) => !unit?.asset || isOfKey(unit.asset, key)),
  z.looseObject({
    type: z.literal('sent'),
    target: z.string(),
    key: z.string().refine(isKey),
    objects: z.record(z.string().refine(isSentName), sentSchema.nullable()),
  }),
])

function isOfKey({ cue, variant }: ManifestAsset, key: string): boolean {
  return key.endsWith(`/cues/${cue}/${variant}`)
}

function isSentName(name: string): boolean {
  return isVariantFileName(name) || isPageName(name) || name === MANIFEST_NAME || name === RECORD_MEMO
}
