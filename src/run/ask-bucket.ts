/** What a run finds of its units before it draws: on disk, by the ledger, and in the bucket. */
import type { Ledger } from '../artifacts/ledger.ts'
import { openOrigin } from '../artifacts/origin.ts'
import type { Storage } from '../storage/storage.ts'
import { rememberBucket } from './bucket-target.ts'
import { decideUnits, type UnitDecision } from './decide-units.ts'
import { closingAfter, openBucket, policyOf } from './open-bucket.ts'
import { pullUnits } from './pull-units.ts'
import type { RunRequest } from './run-request.ts'
import { type BucketFindings, findInBucket, findNothing } from './whole-in-bucket.ts'

interface Asking extends Pick<RunRequest, 'prepared' | 'options'> {
  readonly ledger: Ledger
}

export interface AskedBucket {
  /** null: the run has none. */
  readonly storage: Storage | null
  readonly findings: BucketFindings
}

/** Decides by ledger and disk, then by what the bucket holds of the rest. */
export async function askBucket({ prepared, options, ledger }: Asking): Promise<AskedBucket> {
  const { sheet } = prepared
  const nothing = findNothing(await decideUnits(prepared, ledger, options.force))
  if (sheet.storage === null || options.dryRun) return { storage: null, findings: nothing }
  const concurrency = options.concurrency ?? sheet.storage.concurrency
  const storage = await openBucket(sheet.storage, { concurrency, ...policyOf(options) })
  const { pull = false, signal } = options
  if (options.force) return { storage, findings: nothing }
  return await closingAfter(storage, async () => {
    const found = await findInBucket(prepared, nothing.decisions, storage, { signal, pull, isToSend: true })
    return { storage, findings: pull ? await pullUnits(found, { prepared, storage, ledger, signal }) : found }
  })
}

/** A folder that lacks what the bucket has is a part, as a shard's is: its manifest is not the bucket's. */
export async function rememberPart(
  { prepared, options }: Pick<Asking, 'prepared' | 'options'>,
  { published }: BucketFindings,
): Promise<void> {
  if (published.size === 0) return
  const origin = openOrigin(options.stateDir)
  const { layout, sheet, shard } = prepared
  await rememberBucket(layout.out, sheet.storage, shard ?? 'part', origin)
}

/** Files that were touched but hold what they held need no second look the next time. */
export async function recordTouched(decisions: readonly UnitDecision[], ledger: Ledger): Promise<void> {
  for (const { entry, refreshed } of decisions) {
    const recorded = ledger.units.get(entry.key)
    if (!recorded || refreshed.length === 0) continue
    const renewed = new Map(refreshed.map((file) => [file.name, file]))
    const files = recorded.files.map((file) => renewed.get(file.name) ?? file)
    await ledger.renewUnit(entry.key, { ...recorded, files })
  }
}
