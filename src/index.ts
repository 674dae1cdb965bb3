/**
 * The TypeScript API (docs/library.md). Nothing here prints; what goes wrong is a `PregenError`.
 *
 * ```ts
 * import { openModel, render } from 'pregen'
 *
 * const run = render('cues.yaml', { out: 'out', dryRun: true })
 * for await (const event of run) console.log(event.type)
 * const { done, failed } = await run.result
 * ```
 */

export { createLayout, type Layout, type LayoutOptions } from './artifacts/layout.ts'
export { type Manifest, type ManifestAsset, parseManifest } from './artifacts/manifest.ts'
export { parseTiming, type Timing } from './artifacts/timing.ts'
export { cueSheetJsonSchema } from './cue-sheet/json-schema.ts'
export { parseCueSheet } from './cue-sheet/parse.ts'
export { readCueSheet } from './cue-sheet/read.ts'
export type { CueSheet } from './cue-sheet/sheet.ts'
export { createScheduler } from './diffusion/create-scheduler.ts'
export {
  SCHEDULER_NAMES,
  type Scheduler,
  type SchedulerConfig,
  type SchedulerName,
} from './diffusion/scheduler.ts'
export type { ErrorCode } from './error-codes.ts'
export { formatError, PregenError, type SourceLocation } from './errors.ts'
export {
  type DrawRequest,
  type DrawStep,
  type Model,
  type OpenModelOptions,
  openModel,
  type Picture,
} from './library/open-model.ts'
export { plan, type RenderOptions, render, type SheetObject } from './library/render.ts'
export type { ProviderName, RequestedProvider } from './model/providers.ts'
export type { ModelFacts } from './plan/model-facts.ts'
export { createRandomGenerator } from './random/create.ts'
export type { RandomGenerator, RngName } from './random/generator.ts'
export { parseRunEvent, type RunEvent, type RunEventType } from './run/events.ts'
export { reduce } from './run/reduce.ts'
export type { Run } from './run/run.ts'
export {
  INITIAL_STATE,
  type RunState,
  type UnitProgress,
  type UnitStatus,
  unitOf,
  unitsOf,
} from './run/state.ts'
export type { RunSummary } from './run/summary.ts'
export { createDiskStorage } from './storage/disk.ts'
export { createMemoryStorage } from './storage/memory.ts'
export { createS3Storage, type S3Options } from './storage/s3.ts'
export type { Storage, StorageObject, StoredObject } from './storage/storage.ts'
export { inspectModel, type ModelReport } from './tasks/inspect-model.ts'
export type { PlanReport, UnitPlan } from './tasks/plan-sheet.ts'
export { createTokenizer } from './text/create-tokenizer.ts'
