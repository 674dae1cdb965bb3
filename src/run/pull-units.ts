/** `--pull`: units that are whole in the bucket are brought into the folder, checked byte for byte, and recorded there. */
import { join } from 'node:path'
import pLimit from 'p-limit'
import { stateInside } from '../artifacts/confined-files.ts'
import { confine } from '../artifacts/confinement.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { kindFault } from '../artifacts/file-kind.ts'
import { compareVariantFiles, RECORD_MEMO } from '../artifacts/file-names.ts'
import { hashBytes } from '../artifacts/file-state.ts'
import type { Ledger, LedgerFile, SentObject } from '../artifacts/ledger.ts'
import type { UnitRecord } from '../artifacts/unit-record.ts'
import { createVariantWriter } from '../artifacts/variant-writer.ts'
import { messageOf, PregenError } from '../errors.ts'
import { unitName } from '../plan/unit.ts'
import type { Storage } from '../storage/storage.ts'
import type { UnitDecision } from './decide-units.ts'
import type { PreparedRun, PreparedUnit, PrepareWarning } from './prepared.ts'
import type { BucketFindings } from './whole-in-bucket.ts'

const UNITS_AT_ONCE = 8

/** Where units come from, and where they go. */
export interface PullSides {
  readonly prepared: PreparedRun
  readonly storage: Storage
  readonly ledger: Ledger
  readonly signal: AbortSignal
}

/** Brings down what was found; a unit that cannot be had whole is drawn. */
export async function pullUnits(findings: BucketFindings, sides: PullSides): Promise<BucketFindings> {
  const { storage, signal } = sides
  const limit = pLimit(UNITS_AT_ONCE)
  const warnings: PrepareWarning[] = []
  const published = new Map(findings.published)
  const pull = async (decision: UnitDecision): Promise<UnitDecision> => {
    const record = findings.records.get(decision.entry.key)
    if (!record) return decision
    try {
      await pullUnit(decision.entry, record, sides)
      published.delete(decision.entry.key)
      return { ...decision, reason: 'pulled from the bucket' }
    } catch (error) {
      if (signal.aborted || !(error instanceof PregenError)) throw error
      published.delete(decision.entry.key)
      const message = `${unitName(decision.entry.unit)} could not be had from ${storage.description}, and is drawn: ${messageOf(error)}`
      warnings.push({ code: 'W_NOT_PULLED', message })
      return { ...decision, action: 'run', reason: 'could not be pulled' }
    }
  }
  const decisions = await Promise.all(findings.decisions.map((decision) => limit(pull, decision)))
  return { ...findings, decisions, published, warnings: [...findings.warnings, ...warnings] }
}

async function pullUnit(
  { unit, key, digest, parts }: PreparedUnit,
  { files, asset }: UnitRecord,
  { prepared: { layout }, storage, ledger, signal }: PullSides,
): Promise<void> {
  const folder = layout.variantFolder(unit.cue, unit.variant)
  const inside = confine(layout.out)
  await ledger.forgetUnit(key)
  // Takes back an earlier marker; the record's own, which sorts last, is written last.
  await createVariantWriter({ out: layout.out, folder })
  const written: LedgerFile[] = []
  const sent: Record<string, SentObject> = {}
  for (const { name, sha256, sizeBytes, etag } of [...files].sort((a, b) =>
    compareVariantFiles(a.name, b.name),
  )) {
    const bytes = await storage.get(`${key}/${name}`, { maxBytes: sizeBytes, signal })
    if (bytes === null || bytes.byteLength !== sizeBytes || hashBytes(bytes) !== sha256) {
      throw differs(`${key}/${name}`, 'is not what its record says')
    }
    const fault = kindFault(name, Buffer.from(bytes))
    if (fault) throw differs(`${key}/${name}`, fault)
    const path = join(folder, name)
    await writeFileDurably(path, bytes, { inside })
    const state = await stateInside(inside, path)
    written.push({ name, sha256, md5: hashBytes(bytes, 'md5'), sizeBytes, mtimeMs: state?.mtimeMs ?? 0 })
    sent[name] = { sha256, sizeBytes, etag }
  }
  sent[RECORD_MEMO] = { sha256: digest, sizeBytes: 0, etag: null }
  await ledger.recordUnit(key, { digest, parts, files: written, complete: true, asset })
  await ledger.recordSent(storage.description, key, sent)
}

function differs(key: string, why: string): PregenError {
  return new PregenError('E_FILE_CHANGED', `${key} ${why}`, { exitCode: 3 })
}
