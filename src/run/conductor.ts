/**
 * A run from its plan to its end: lock, ledger, bucket, worker, models one after the other, manifest, uploads.
 * Everything it does is told as events; everything it was told came as options.
 */
import { removeFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { sweepTemporaryFiles } from '../artifacts/durable-write.ts'
import { type Ledger, openLedger } from '../artifacts/ledger.ts'
import { openOrigin } from '../artifacts/origin.ts'
import { openOutputFolder } from '../artifacts/output-folder.ts'
import { PregenError } from '../errors.ts'
import { rememberBucket } from './bucket-target.ts'
import { checkCallbackTarget, createCallbacks } from './callbacks.ts'
import { type Decision, decideUnits } from './decide.ts'
import { drawAll, startDrawing } from './draw-all.ts'
import type { EmitRunEvent } from './events.ts'
import { createFaults, type Faults, writeFaultsOf } from './faults.ts'
import { lockOutput } from './lock-output.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun, PreparedUnit } from './prepared.ts'
import { createSender } from './sender.ts'
import { createTally, type RunSummary } from './tally.ts'
import { writeManifest } from './write-manifest.ts'

/**
 * Runs what the plan asks for and is not there yet.
 * @throws PregenError before the first unit (lock, bucket, provider); later faults are events and counts
 */
export async function conductRun(
  prepared: PreparedRun,
  options: RunOptions,
  emit: EmitRunEvent,
): Promise<RunSummary> {
  const { layout, startedAt } = prepared
  await openOutputFolder(layout.out)
  // A machine that slept for long may wake to find its folder taken over: nothing more is written then.
  const lost = new AbortController()
  const lock = await lockOutput(layout.state.lockPath, { onLost: () => lost.abort(lockLost(layout.out)) })
  const signal = AbortSignal.any([options.signal, lost.signal])
  try {
    // Only now, with the lock held, is a temporary file certainly nobody's.
    await sweepTemporaryFiles(layout.out)
    removeFolder(confine(layout.out), layout.state.liveFolder)
    const origin = openOrigin(options.stateDir)
    await rememberBucket(layout.out, prepared.sheet.storage, prepared.shard, origin)
    const faults = createFaults(options.faults)
    const ledger = await openLedger(layout.state.ledgerPath, { faults: writeFaultsOf(faults), origin })
    try {
      const told = { ...options, signal }
      return await runPlanned(prepared, told, emit, ledger, faults, startedAt, lost.signal)
    } finally {
      await ledger.close()
    }
  } finally {
    await lock.release()
  }
}

async function runPlanned(
  prepared: PreparedRun,
  options: RunOptions,
  emit: EmitRunEvent,
  ledger: Ledger,
  faults: Faults,
  startedAt: number,
  lost: AbortSignal,
): Promise<RunSummary> {
  const decisions = await decideUnits(prepared, ledger, options.force)
  const toRun = decisions.filter(({ action }) => action === 'run').map(({ entry }) => entry)
  const tally = createTally(startedAt)
  announce(prepared, decisions, toRun, emit)
  await recordTouched(decisions, ledger)

  await checkCallbackTarget(prepared, options)
  // The thread gets ready while the bucket is proven.
  const worker = toRun.length > 0 ? await startDrawing(prepared, options) : null
  const sender = await createSender(prepared, options, ledger, decisions, emit).catch(async (error) => {
    await worker?.terminate()
    throw error
  })
  const callbacks = createCallbacks(prepared, options, ledger, emit)
  try {
    const kept = decisions.filter(({ action }) => action === 'skip')
    sender.sendKept(kept, (key, sent, asset) => callbacks.unitSent(key, sent, asset, true))
    if (worker)
      await drawAll({ prepared, options, emit, ledger, faults, toRun, sender, callbacks, tally, worker })
    lost.throwIfAborted()
    const manifest = await writeManifest(prepared, ledger, writeFaultsOf(faults))
    const uploads = await sender.finish(manifest, options.signal)
    await callbacks.runEnded(manifest.assets, tally.failed() + uploads.failed)
    const summary = tally.finish({
      planned: decisions.length,
      skipped: decisions.length - toRun.length,
      cancelled: options.signal.aborted,
      uploads,
      prepared,
    })
    emit({ type: 'run-finished', ...summary })
    return summary
  } finally {
    await worker?.terminate()
    callbacks.close()
    await sender.close()
  }
}

function announce(
  prepared: PreparedRun,
  decisions: readonly Decision[],
  toRun: readonly PreparedUnit[],
  emit: EmitRunEvent,
): void {
  emit({
    type: 'run-planned',
    units: decisions.length,
    skipped: decisions.length - toRun.length,
    shard: prepared.shard,
    steps: toRun.reduce((sum, { unit }) => sum + unit.executedSteps, 0),
    version: prepared.version,
    out: prepared.layout.out,
  })
  for (const { code, message } of prepared.warnings) emit({ type: 'warning', code, message })
  for (const { action, reason, entry } of decisions) {
    const { cue, variant } = entry.unit
    if (action === 'skip') emit({ type: 'unit-skipped', cue, variant, reason })
  }
}

/** Files that were touched but hold what they held need no second look the next time. */
async function recordTouched(decisions: readonly Decision[], ledger: Ledger): Promise<void> {
  for (const { entry, refreshed } of decisions) {
    const recorded = ledger.units.get(entry.key)
    if (!recorded || refreshed.length === 0) continue
    const renewed = new Map(refreshed.map((file) => [file.name, file]))
    const files = recorded.files.map((file) => renewed.get(file.name) ?? file)
    await ledger.renewUnit(entry.key, { ...recorded, files })
  }
}

function lockLost(out: string): PregenError {
  return new PregenError('E_LOCK_LOST', `another process has taken over the output folder ${out}`, {
    help: 'Let it finish, or stop it and run again: what is whole is kept.',
    exitCode: 3,
  })
}

/** The exit code that a finished run stands for: 0 all done, 3 something failed. */
export function exitCodeOfRun({ failed, uploadsFailed }: RunSummary): 0 | 3 {
  return failed === 0 && uploadsFailed === 0 ? 0 : 3
}
