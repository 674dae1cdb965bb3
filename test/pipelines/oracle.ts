/** Golden cases of the reference (diffusers and optimum-onnx) and the measure of how far a run is from them. */
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { schedulerNameOfClass } from '../../src/diffusion/class-names.ts'
import type { SchedulerConfig, SchedulerName } from '../../src/diffusion/scheduler.ts'
import { loadInitImage, toModelInput } from '../../src/images/init-image.ts'
import { type ModelFolder, readModelFolder } from '../../src/model/folder.ts'
import type { ResolvedProvider } from '../../src/model/providers.ts'
import { createPipeline } from '../../src/pipelines/create-pipeline.ts'
import type { GenerateRequest, Pipeline, PromptConditioning } from '../../src/pipelines/pipeline.ts'
import { scratchFolder } from '../support/scratch.ts'

export const ORACLE = fileURLToPath(new URL('../fixtures/oracle', import.meta.url))
export const CPU: ResolvedProvider = { name: 'cpu', deviceId: 0, reason: 'asked for' }

/** One picture's settings, in diffusers' words. */
export interface GoldenParams {
  readonly prompt: string
  readonly negative_prompt?: string
  readonly prompt_2?: string
  readonly max_sequence_length?: number
  readonly seed: number
  readonly width: number
  readonly height: number
  readonly num_inference_steps: number
  readonly guidance_scale: number
  readonly image?: string
  readonly strength?: number
  readonly mask?: string
}

/** What the two kinds of cases share. */
export interface GoldenCase {
  readonly case: string
  readonly model: string
  readonly task: 'txt2img' | 'img2img' | 'inpaint'
  readonly scheduler: {
    readonly class: string
    readonly from: 'model' | 'override'
    readonly overrides: SchedulerConfig
  }
  readonly timesteps: readonly number[]
  readonly scheduler_timesteps: readonly number[]
  readonly sigmas?: readonly number[]
  readonly arrays: Readonly<Record<string, GoldenArray>>
  /** Folder of the case. */
  readonly folder: string
}

/** A case of extra/: one or more pictures in one batch. */
export interface ExtraGolden extends GoldenCase {
  readonly requests: readonly GoldenParams[]
  readonly pngs: readonly string[]
}

interface GoldenArray {
  readonly file?: string
  readonly values?: readonly number[]
  readonly shape: readonly number[]
}

export interface Golden extends GoldenCase {
  readonly params: GoldenParams
  readonly token_ids: Readonly<Record<string, GoldenTokens>>
  readonly init_noise_sigma: number
  readonly rng_draws: readonly (readonly number[])[]
  readonly png: string
}

export interface GoldenTokens {
  readonly max_length: number
  readonly prompt: readonly number[]
  readonly prompt_untruncated_length: number
  readonly negative_prompt?: readonly number[]
}

export function goldensOf(model: string): readonly Golden[] {
  const folder = join(ORACLE, 'goldens', model)
  return caseFiles(folder).map((path) => ({ ...JSON.parse(readFileSync(path, 'utf8')), folder }))
}

export function extraGoldensOf(model: string): readonly ExtraGolden[] {
  const folder = join(ORACLE, 'extra/goldens', model)
  return caseFiles(folder).map((path) => ({ ...JSON.parse(readFileSync(path, 'utf8')), folder }))
}

function caseFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name))
}

/** Names of all models that extra cases exist for. */
export function extraModels(): readonly string[] {
  return readdirSync(join(ORACLE, 'extra/goldens')).sort()
}

export function modelPath(name: string): string {
  return join(ORACLE, 'models', name)
}

export function modelFolder(name: string): ModelFolder {
  return readModelFolder(modelPath(name))
}

/** An extra model as a whole folder: the parts that its parts.json names, and its own files over them. */
export function assembleModel(name: string): string {
  const own = join(ORACLE, 'extra/models', name)
  if (!readdirSync(join(ORACLE, 'extra/models')).includes(name)) return modelPath(name)
  const whole = join(scratchFolder(), name)
  const parts: Readonly<Record<string, string>> = JSON.parse(readFileSync(join(own, 'parts.json'), 'utf8'))
  for (const [folder, source] of Object.entries(parts))
    cpSync(modelPath(source), join(whole, folder), { recursive: true })
  cpSync(own, whole, { recursive: true })
  return whole
}

export function arrayOf(golden: GoldenCase, name: string): Float32Array | null {
  const array = golden.arrays[name]
  if (array === undefined) return null
  if (array.values !== undefined) return Float32Array.from(array.values)
  const bytes = readFileSync(join(golden.folder, array.file!))
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

/** [3, height, width] in −1 … 1, as the run prepares init images. */
export async function initImageOf(
  golden: Pick<GoldenCase, 'folder'>,
  params: Pick<GoldenParams, 'image' | 'width' | 'height'>,
): Promise<Float32Array | undefined> {
  if (params.image === undefined) return undefined
  const { width, height } = params
  const source = join(golden.folder, params.image)
  return toModelInput(await loadInitImage({ source, width, height, fit: 'fill' }))
}

/** The scheduler as a sheet would name it. */
export function schedulerOf({ scheduler }: GoldenCase): {
  name: SchedulerName | undefined
  config: SchedulerConfig
} {
  if (scheduler.from === 'model') return { name: undefined, config: scheduler.overrides }
  const named = schedulerNameOfClass(scheduler.class, scheduler.overrides)
  if (named === null) throw new Error(`no scheduler for ${scheduler.class}`)
  return { name: named.name, config: { ...named.impliedConfig, ...scheduler.overrides } }
}

export async function encodeGolden(pipeline: Pipeline, params: GoldenParams): Promise<PromptConditioning> {
  await pipeline.loadTextEncoders()
  return pipeline.encodePrompt({
    prompt: params.prompt,
    negativePrompt: params.negative_prompt,
    prompt2: params.prompt_2,
    maxSequenceLength: params.max_sequence_length,
    withNegative: pipeline.usesNegativePrompt({ guidanceScale: params.guidance_scale }),
  })
}

export async function requestOf(
  golden: GoldenCase,
  params: GoldenParams,
  conditioning: PromptConditioning,
): Promise<GenerateRequest> {
  return {
    conditioning,
    seed: BigInt(params.seed),
    rng: 'torch-cpu',
    width: params.width,
    height: params.height,
    steps: params.num_inference_steps,
    guidanceScale: params.guidance_scale,
    scheduler: schedulerOf(golden),
    initImage: await initImageOf(golden, params),
    denoiseStrength: params.strength,
  }
}

/** How far two pictures are from each other. */
export interface PixelDistance {
  /** Share of channel values that differ at all, and by more than one level. */
  readonly differing: number
  readonly beyondOne: number
  readonly worst: number
}

export async function comparePixels(path: string, rgb: Uint8Array): Promise<PixelDistance> {
  const expected = await sharp(path).removeAlpha().raw().toBuffer()
  if (expected.length !== rgb.length)
    throw new Error(`${path} has ${expected.length} bytes, got ${rgb.length}`)
  let differing = 0
  let beyondOne = 0
  let worst = 0
  for (let i = 0; i < rgb.length; i++) {
    const difference = Math.abs(expected[i]! - rgb[i]!)
    if (difference > 0) differing++
    if (difference > 1) beyondOne++
    if (difference > worst) worst = difference
  }
  return { differing: differing / rgb.length, beyondOne: beyondOne / rgb.length, worst }
}

export function maxAbs(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values against ${expected.length}`)
  let worst = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!)
    if (!(difference <= worst)) worst = difference
  }
  return worst
}

export function relativeRms(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let squares = 0
  let norm = 0
  for (let i = 0; i < expected.length; i++) {
    squares += (actual[i]! - expected[i]!) ** 2
    norm += expected[i]! ** 2
  }
  return Math.sqrt(squares / norm)
}

export function openPipeline(path: string, threads = 1): Pipeline {
  return createPipeline(readModelFolder(path), { provider: CPU, threads })
}
