/** What `run` would do, as data: `pregen plan`. */
import { type LedgerContent, readLedger } from '../artifacts/ledger.ts'
import { estimatePlan, type RecordedTiming } from '../plan/estimate.ts'
import { unitFiles } from '../plan/unit-files.ts'
import { decideUnits } from '../run/decide-units.ts'
import { checkBucketEndpoint, policyOf } from '../run/open-bucket.ts'
import type { SelectOptions } from '../run/options.ts'
import { prepareRun } from '../run/prepare.ts'
import type { PrepareWarning } from '../run/prepared.ts'
import { refuseFileAsOutput } from './existing-folder.ts'

export interface UnitPlan {
  readonly cue: string
  readonly variant: string
  readonly program: string
  readonly model: string
  readonly action: 'run' | 'skip'
  readonly reason: string
  readonly prompt: string
  readonly negativePrompt: string | null
  readonly seed: string
  readonly width: number
  readonly height: number
  readonly steps: number
  readonly stepsExecuted: number
  readonly guidanceScale: number
  readonly scheduler: string
  readonly previews: string | null
  readonly digest: string
  readonly files: readonly string[]
}

export interface PlanReport {
  readonly version: string
  readonly shard: string | null
  readonly folder: string
  readonly units: readonly UnitPlan[]
  readonly totals: {
    readonly units: number
    readonly run: number
    readonly skip: number
    readonly steps: number
    readonly files: number
    readonly bytes: number
    /** From earlier runs of this folder; null without one. */
    readonly expectedMs: number | null
  }
  readonly warnings: readonly PrepareWarning[]
}

function recordedTimings({ units }: LedgerContent): RecordedTiming[] {
  return [...units.values()].flatMap(({ asset, durationMs }) => {
    if (!asset || durationMs === undefined) return []
    const { model, width, height, steps_executed: steps } = asset.metadata
    return [{ model, width, height, steps, durationMs }]
  })
}

/** @throws PregenErrors with every fault of sheet, models and images */
export async function planSheet(options: SelectOptions): Promise<PlanReport> {
  const prepared = await prepareRun(options)
  checkBucketEndpoint(prepared.sheet, policyOf(options))
  const { layout, models, uncheckedImages } = prepared
  await refuseFileAsOutput(layout.out)
  const ledger = await readLedger(layout.state.ledgerPath)
  const decisions = await decideUnits(prepared, ledger, options.force)
  const toRun = decisions.filter(({ action }) => action === 'run')
  const estimate = estimatePlan(
    toRun.map(({ entry }) => entry.unit),
    recordedTimings(ledger),
  )
  const units = decisions.map(({ entry, action, reason }): UnitPlan => {
    const { unit, digest } = entry
    const { cue, variant, program, model, prompt, width, height, steps, guidanceScale } = unit
    return {
      ...{ cue, variant, program, model, action, prompt },
      // Only the picture itself could say whether it is the one that was drawn from.
      reason: uncheckedImages.has(unit) ? `${reason}; image not checked` : reason,
      negativePrompt: unit.negativePrompt ?? null,
      seed: String(unit.seed),
      ...{ width, height, steps, guidanceScale },
      stepsExecuted: unit.executedSteps,
      scheduler: unit.scheduler.name ?? models.get(model)?.facts.schedulerClass ?? '',
      previews: unit.previews?.method ?? null,
      digest,
      files: unitFiles(unit),
    }
  })
  return {
    version: prepared.version,
    shard: prepared.shard,
    folder: `${layout.out}/${layout.prefix}`,
    units,
    totals: {
      units: decisions.length,
      run: toRun.length,
      skip: decisions.length - toRun.length,
      ...estimate,
    },
    warnings: prepared.warnings,
  }
}
