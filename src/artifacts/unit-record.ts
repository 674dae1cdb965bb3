/**
 * What a bucket says of one whole unit: a small object whose name alone tells of which unit, of what digest and of which
 * very objects it speaks, so that one listing decides. Its body is asked for only where the manifest lacks the unit.
 */
import { createHash } from 'node:crypto'
import { z } from '../zod.ts'
import { isVariantFileName, outputKindOfAsset } from './file-names.ts'
import { hashBytes } from './file-state.ts'
import { isVariantKey } from './layout.ts'
import { isAsset, type ManifestAsset } from './manifest.ts'
import { asWritten, isShallow } from './read-back.ts'

/** Below the version, beside `cues`; no id begins with a dot. */
const FOLDER = '.units'
/** A record has one line a file, and a prompt. */
export const RECORD_BYTES = 64 * 1024

const ID = 32
const SEAL = 32
const PICTURE = 16
const NAME = /^([0-9a-f]{32})\.([0-9a-f]{64})\.([0-9a-f]{32})\.([0-9a-f]{16})\.json$/

/** An object of a unit as the store tells of it. */
export interface SealedFile {
  readonly name: string
  readonly sizeBytes: number
  /** Of the PUT's answer; a listing gives the same, under SSE-KMS too. */
  readonly etag: string
}

/** What a record's name says. */
export interface RecordName {
  /** Of the variant's key. */
  readonly id: string
  readonly digest: string
  readonly seal: string
  /** The first digits of the final picture's sha-256: whether a manifest's line speaks of this making. */
  readonly picture: string
}

export interface UnitRecord {
  readonly key: string
  readonly digest: string
  readonly files: readonly RecordFile[]
  /** Its line in manifest.json. */
  readonly asset: ManifestAsset
}

export interface RecordFile extends SealedFile {
  /** Lower-case hex. */
  readonly sha256: string
}

/** `foigoi/<version>/.units/`, with or without the beginning of one unit's records. */
export function recordPrefix(prefix: string, id = ''): string {
  return `${prefix}/${FOLDER}/${id === '' ? '' : `${id}.`}`
}

/** The name of a unit in its records: keys may be as long as keys get. */
export function recordId(variantKey: string): string {
  return hashBytes(Buffer.from(variantKey)).slice(0, ID)
}

/** Binds a record to the very objects that were confirmed: another size or ETag, another seal. */
export function sealOf(files: readonly SealedFile[]): string {
  const lines = files.map(({ name, sizeBytes, etag }) => `${name}\0${sizeBytes}\0${etag}`).sort()
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, SEAL)
}

/** As the manifest's sha-256 begins in a record's name. */
export function pictureOf(sha256: string): string {
  return sha256.slice(0, PICTURE)
}

export function recordKey(prefix: string, { key, digest, files, asset }: UnitRecord): string {
  const parts = [recordId(key), digest, sealOf(files), pictureOf(asset.metadata.sha256)]
  return `${recordPrefix(prefix)}${parts.join('.')}.json`
}

/** null: no key of a record. */
export function parseRecordKey(prefix: string, key: string): RecordName | null {
  const folder = recordPrefix(prefix)
  const match = key.startsWith(folder) ? NAME.exec(key.slice(folder.length)) : null
  if (!match) return null
  const [, id = '', digest = '', seal = '', picture = ''] = match
  return { id, digest, seal, picture }
}

export function encodeRecord({ key, digest, files, asset }: UnitRecord): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ record_version: 1, key, digest, files, asset })}\n`)
}

/**
 * Reads a record that a bucket gave, whoever wrote it.
 * @returns null where it is none, or does not speak of what its name says
 */
export function parseRecord(bytes: Uint8Array, key: string, name: RecordName): UnitRecord | null {
  if (bytes.byteLength > RECORD_BYTES) return null
  const value = parsed(Buffer.from(bytes).toString('utf8'))
  const record = isShallow(value, 6) ? asWritten(recordSchema, value).data : undefined
  if (!record || record.key !== key || record.digest !== name.digest) return null
  const { digest, files, asset } = record
  if (!key.endsWith(`/cues/${asset.cue}/${asset.variant}`) || sealOf(files) !== name.seal) return null
  const final = files.find((file) => file.name === outputKindOfAsset(asset).name)
  const isOfPicture = final?.sha256 === asset.metadata.sha256 && pictureOf(final.sha256) === name.picture
  return isOfPicture ? { key, digest, files, asset } : null
}

const recordSchema: z.ZodType<UnitRecord> = z.object({
  record_version: z.literal(1),
  key: z.string().refine(isVariantKey),
  digest: z.string(),
  files: z.array(
    z.looseObject({
      name: z.string().refine(isVariantFileName),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      sizeBytes: z.int(),
      etag: z.string(),
    }),
  ),
  asset: z.custom<ManifestAsset>(isAsset),
})

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
