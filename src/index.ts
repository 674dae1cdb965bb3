/**
 * The TypeScript API: the same rooms that the command line is made of. Nothing here reads the environment or
 * prints; a run is told what it needs and tells what it does.
 *
 * ```ts
 * import { conductRun, createEventBus, prepareRun } from 'pregen'
 *
 * const bus = createEventBus()
 * bus.subscribe((event) => console.log(event.type))
 * const options = { sheetPath: 'cues.yaml', outDir: 'out', … }
 * const summary = await conductRun(await prepareRun(options), options, bus.emit)
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
export { formatError, PregenError, PregenErrors, type SourceLocation } from './errors.ts'
export { checkModelFolder } from './model/check.ts'
export { modelFacts } from './model/facts.ts'
export { type ModelFolder, readModelFolder } from './model/folder.ts'
export { type RequestedProvider, type ResolvedProvider, resolveProvider } from './model/providers.ts'
export { createPipeline } from './pipelines/create-pipeline.ts'
export type {
  GeneratedMedium,
  GenerateRequest,
  Pipeline,
  PromptConditioning,
  PromptRequest,
  StepInfo,
} from './pipelines/pipeline.ts'
export type { ModelFacts } from './plan/model-facts.ts'
export type { Unit } from './plan/unit.ts'
export { createRandomGenerator } from './random/create.ts'
export type { RandomGenerator, RngName } from './random/generator.ts'
export { createEventBus, type EventBus } from './run/bus.ts'
export { conductRun } from './run/conductor.ts'
export type { RunEvent } from './run/events.ts'
export type { RunOptions, SelectOptions } from './run/options.ts'
export { type PlanReport, planSheet } from './run/plan-sheet.ts'
export { prepareRun } from './run/prepare.ts'
export type { PreparedRun, PreparedUnit } from './run/prepared.ts'
export type { RunSummary } from './run/tally.ts'
export { createDiskStorage } from './storage/disk.ts'
export { createMemoryStorage } from './storage/memory.ts'
export { createS3Storage, type S3Options } from './storage/s3.ts'
export type { Storage, StorageObject, StoredObject } from './storage/storage.ts'
export { createTokenizer } from './text/create-tokenizer.ts'
