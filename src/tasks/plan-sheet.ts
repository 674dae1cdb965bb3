/** What `run` would do, as data: `pregen plan`. */
import { type LedgerContent, readLedger } from '../artifacts/ledger.ts'
import { estimatePlan, type RecordedTiming, type WorkOf } from '../plan/estimate.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import type { Unit } from '../plan/unit.ts'
import { unitFiles } from '../plan/unit-files.ts'
import { videoCost } from '../plan/video-cost.ts'
import { decideUnits } from '../run/decide-units.ts'
import { type ModelMemory, memoryOf, requirePlanFits } from '../run/memory-fit.ts'
import { checkBucketEndpoint, openBucket, policyOf } from '../run/open-bucket.ts'
import type { SelectOptions } from '../run/options.ts'
import { prepareRun } from '../run/prepare.ts'
import type { PreparedRun, PrepareWarning } from '../run/prepared.ts'
import { strayOnDisk } from '../run/strays.ts'
import { type BucketFindings, findInBucket, findNothing } from '../run/whole-in-bucket.ts'
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
  /** Of a unit that makes a video. */
  readonly video?: VideoPlan | undefined
}

export interface VideoPlan {
  readonly numFrames: number
  readonly fps: number
  /** Most memory that is held at once, roughly. */
  readonly memoryBytes: number
  /** Floating-point operations of all calls of the denoiser. */
  readonly flops: number
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
    /** Finished units of earlier runs that tell it. */
    readonly timedUnits: number
  }
  readonly warnings: readonly PrepareWarning[]
  /** Keys of variants that stand here and that the sheet has no more. */
  readonly strays: readonly string[]
  /** What each model takes at its peak, estimated. */
  readonly memory: readonly ModelMemory[]
  /** The bucket may hold some of what is new here, and nothing was asked of the network. */
  readonly isBucketUnasked: boolean
}

/** Decides by ledger and disk, and by the bucket where the network may be asked. */
async function askedBucket(
  prepared: PreparedRun,
  options: SelectOptions,
  ledger: LedgerContent,
): Promise<BucketFindings> {
  const decisions = await decideUnits(prepared, ledger, options.force)
  const settings = prepared.sheet.storage
  if (settings === null || options.force || options.remoteImages !== 'fetch') return findNothing(decisions)
  const storage = await openBucket(settings, { concurrency: settings.concurrency, ...policyOf(options) })
  try {
    return await findInBucket(prepared, decisions, storage, { signal: options.signal })
  } finally {
    await storage.close()
  }
}

/** What finished units of this folder tell of the time of others. */
export function recordedTimings({ units }: Pick<LedgerContent, 'units'>): RecordedTiming[] {
  return [...units.values()].flatMap(({ asset, durationMs }) => {
    if (!asset || durationMs === undefined) return []
    const { model, width, height, steps_executed: steps, num_frames: numFrames } = asset.metadata
    const video = numFrames !== undefined && { numFrames, guided: asset.metadata.guidance_scale > 1 }
    return [{ model, width, height, steps, durationMs, ...video }]
  })
}

/** Of a video the denoiser's operations, which grow faster than its pixels. */
function workOn(models: PreparedRun['models']): WorkOf {
  return ({ model, width, height, numFrames, guided }) => {
    const video = models.get(model)?.facts.video
    if (video === undefined || numFrames === undefined) return width * height
    return videoCost({ width, height, numFrames }, video.cost).flopsACall * (guided ? 2 : 1)
  }
}

function videoPlanOf(unit: Unit, facts: ModelFacts | undefined): VideoPlan | undefined {
  const { numFrames, fps, executedSteps, guided } = unit
  if (facts?.video === undefined || numFrames === undefined || fps === undefined) return undefined
  const { memoryBytes, flopsACall } = videoCost({ ...unit, numFrames }, facts.video.cost)
  const flops = flopsACall * executedSteps * (guided ? 2 : 1)
  return { numFrames, fps, memoryBytes: Math.round(memoryBytes), flops }
}

/** @throws PregenErrors with every fault of sheet, models and images */
export async function planSheet(options: SelectOptions): Promise<PlanReport> {
  const prepared = await prepareRun(options)
  checkBucketEndpoint(prepared.sheet, policyOf(options))
  const { layout, models, uncheckedImages } = prepared
  await refuseFileAsOutput(layout.out)
  await requirePlanFits(prepared, options)
  const ledger = await readLedger(layout.state.ledgerPath)
  const { decisions, warnings } = await askedBucket(prepared, options, ledger)
  const toRun = decisions.filter(({ action }) => action === 'run')
  const estimate = estimatePlan(
    toRun.map(({ entry }) => entry.unit),
    recordedTimings(ledger),
    workOn(models),
  )
  const units = decisions.map(({ entry, action, reason }): UnitPlan => {
    const { unit, digest } = entry
    const { cue, variant, program, model, prompt, width, height, steps, guidanceScale } = unit
    return {
      cue,
      variant,
      program,
      model,
      action,
      prompt,
      // Only the picture itself could say whether it is the one that was drawn from.
      reason: uncheckedImages.has(unit) ? `${reason}; image not checked` : reason,
      negativePrompt: unit.negativePrompt ?? null,
      seed: String(unit.seed),
      width,
      height,
      steps,
      guidanceScale,
      stepsExecuted: unit.executedSteps,
      scheduler: unit.scheduler.name ?? models.get(model)?.facts.schedulerClass ?? '',
      previews: unit.previews?.method ?? null,
      digest,
      files: unitFiles(unit),
      video: videoPlanOf(unit, models.get(model)?.facts),
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
    strays: strayOnDisk(prepared, ledger),
    warnings: [...prepared.warnings, ...warnings],
    memory: memoryOf(prepared),
    isBucketUnasked:
      prepared.sheet.storage !== null &&
      options.remoteImages !== 'fetch' &&
      !options.force &&
      decisions.some(({ action, reason }) => action === 'run' && reason === 'new'),
  }
}
