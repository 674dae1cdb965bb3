/** Golden cases of the reference (diffusers and optimum-onnx) and the measure of how far a run is from them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { schedulerNameOfClass } from '../../src/diffusion/class-names.ts'
import type { SchedulerConfig, SchedulerName } from '../../src/diffusion/scheduler.ts'
import { type ModelFolder, readModelFolder } from '../../src/model/folder.ts'
import type { ResolvedProvider } from '../../src/model/providers.ts'
import { createPipeline } from '../../src/pipelines/create-pipeline.ts'
import type { GenerateRequest, Pipeline, PromptConditioning } from '../../src/pipelines/pipeline.ts'

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
}

interface GoldenArray {
  readonly file?: string
  readonly values?: readonly number[]
  readonly shape: readonly number[]
}

export interface Golden {
  readonly case: string
  readonly model: string
  readonly task: 'txt2img' | 'img2img'
  readonly params: GoldenParams
  readonly scheduler: {
    readonly class: string
    readonly from: 'model' | 'override'
    readonly overrides: SchedulerConfig
  }
  readonly token_ids: Readonly<Record<string, GoldenTokens>>
  readonly timesteps: readonly number[]
  readonly scheduler_timesteps: readonly number[]
  readonly sigmas?: readonly number[]
  readonly init_noise_sigma: number
  readonly rng_draws: readonly (readonly number[])[]
  readonly arrays: Readonly<Record<string, GoldenArray>>
  readonly png: string
  /** Folder of the case. */
  readonly folder: string
}

export interface GoldenTokens {
  readonly max_length: number
  readonly prompt: readonly number[]
  readonly prompt_untruncated_length: number
  readonly negative_prompt?: readonly number[]
}

export function goldensOf(model: string): readonly Golden[] {
  const folder = join(ORACLE, 'goldens', model)
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({ ...JSON.parse(readFileSync(join(folder, name), 'utf8')), folder }))
}

export function modelFolder(name: string): ModelFolder {
  return readModelFolder(join(ORACLE, 'models', name))
}

export function arrayOf(golden: Golden, name: string): Float32Array | null {
  const array = golden.arrays[name]
  if (array === undefined) return null
  if (array.values !== undefined) return Float32Array.from(array.values)
  const bytes = readFileSync(join(golden.folder, array.file!))
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

/** [3, height, width] in −1 … 1 as diffusers' VaeImageProcessor has it. */
export async function initImageOf(golden: Golden): Promise<Float32Array | undefined> {
  if (golden.params.image === undefined) return undefined
  const rgb = await sharp(join(golden.folder, golden.params.image)).removeAlpha().raw().toBuffer()
  const plane = rgb.length / 3
  const out = new Float32Array(rgb.length)
  for (let i = 0; i < rgb.length; i++) {
    out[(i % 3) * plane + Math.floor(i / 3)] = Math.fround(2 * Math.fround(rgb[i]! / 255)) - 1
  }
  return out
}

/** The scheduler as a sheet would name it. */
export function schedulerOf({ scheduler }: Golden): {
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
    withNegative: pipeline.usesNegativePrompt(params.guidance_scale),
  })
}

export async function requestOf(golden: Golden, conditioning: PromptConditioning): Promise<GenerateRequest> {
  const { params } = golden
  return {
    conditioning,
    seed: BigInt(params.seed),
    rng: 'torch-cpu',
    width: params.width,
    height: params.height,
    steps: params.num_inference_steps,
    guidanceScale: params.guidance_scale,
    scheduler: schedulerOf(golden),
    initImage: await initImageOf(golden),
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

export async function comparePixels(golden: Golden, rgb: Uint8Array): Promise<PixelDistance> {
  const expected = await sharp(join(golden.folder, golden.png)).removeAlpha().raw().toBuffer()
  if (expected.length !== rgb.length)
    throw new Error(`${golden.png} has ${expected.length} bytes, got ${rgb.length}`)
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

export function openPipeline(model: string): Pipeline {
  return createPipeline(modelFolder(model), { provider: CPU, threads: 1 })
}
