/** Tiny models of the newer families with diffusers' own pictures, kept packed: unpacked once for each file of tests. */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SchedulerConfig } from '../../src/diffusion/scheduler.ts'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'

export interface ReferenceParams {
  readonly prompt?: string
  readonly prompts?: readonly string[]
  readonly seed?: number
  readonly seeds?: readonly number[]
  readonly negative_prompt?: string
  readonly width: number
  readonly height: number
  readonly num_inference_steps: number
  readonly guidance_scale?: number
  readonly true_cfg_scale?: number
  readonly cfg_normalization?: boolean | number
  readonly cfg_truncation?: number
  readonly max_sequence_length?: number
  /** Relative to the case's folder. */
  readonly images?: readonly string[]
  readonly strength?: number
}

export interface ReferenceCase {
  readonly case: string
  readonly model: string
  readonly task: 'txt2img' | 'img2img' | 'edit'
  readonly params: ReferenceParams
  readonly model_index_overrides?: Readonly<Record<string, unknown>>
  readonly scheduler: { readonly class: string; readonly overrides: SchedulerConfig }
  readonly timesteps_fed_to_denoiser?: readonly number[]
  readonly token_ids: readonly {
    readonly ids: readonly number[]
    readonly padded_length: number
    readonly pad_id: number
  }[]
  readonly timesteps: readonly number[]
  readonly sigmas: readonly number[]
  readonly mu?: number
  readonly arrays: Readonly<Record<string, ReferenceArray>>
  readonly png: string | readonly string[]
  /** Of the case. */
  readonly folder: string
}

interface ReferenceArray {
  readonly file?: string
  readonly values?: readonly number[]
  readonly shape: readonly number[]
}

export interface Reference {
  /** The model's folder, as the case has it: some say something else in model_index.json. */
  readonly modelOf: (golden: Pick<ReferenceCase, 'model_index_overrides'>) => string
  readonly cases: readonly ReferenceCase[]
}

/** Call it outside of tests: what it unpacks is gone when the file's tests are over. */
export function unpackReference(model: string): Reference {
  const { folder } = createScratch()
  const archive = join(packageRoot, 'test/fixtures/families', `${model}.tar.xz`)
  const { status, stderr } = spawnSync('tar', ['-xJf', archive, '-C', folder], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${archive} cannot be unpacked: ${stderr}`)
  const goldens = join(folder, 'goldens', model)
  const plain = join(folder, 'models', model)
  const variants = new Map<string, string>()
  return {
    cases: readdirSync(goldens)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => ({ ...JSON.parse(readFileSync(join(goldens, name), 'utf8')), folder: goldens })),
    modelOf({ model_index_overrides: overrides }) {
      if (overrides === undefined || overrides === null) return plain
      const key = JSON.stringify(overrides)
      const known = variants.get(key)
      if (known !== undefined) return known
      const changed = join(folder, 'models', `${model}-${variants.size + 1}`)
      variants.set(key, changed)
      cpSync(plain, changed, { recursive: true })
      const index = join(changed, 'model_index.json')
      writeFileSync(index, JSON.stringify({ ...JSON.parse(readFileSync(index, 'utf8')), ...overrides }))
      return changed
    },
  }
}

/** One entry a picture. */
export function picturesOf({ params, png, folder }: ReferenceCase): readonly {
  readonly prompt: string
  readonly seed: number
  readonly png: string
}[] {
  const pngs = typeof png === 'string' ? [png] : png
  return pngs.map((name, index) => ({
    prompt: params.prompts?.[index] ?? params.prompt ?? '',
    seed: params.seeds?.[index] ?? params.seed ?? 0,
    png: join(folder, name),
  }))
}

export function arrayOf({ arrays, folder }: ReferenceCase, name: string): Float32Array | null {
  const array = arrays[name]
  if (array === undefined) return null
  if (array.values !== undefined) return Float32Array.from(array.values)
  const bytes = readFileSync(join(folder, array.file!))
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

const GUIDANCE = ['guidance_scale', 'true_cfg_scale', 'cfg_normalization', 'cfg_truncation'] as const

/** A cue whose variants are the case's pictures, drawn in one batch. */
export function cueOf(golden: ReferenceCase, model: string): Readonly<Record<string, unknown>> {
  const { params, scheduler, task, folder } = golden
  const { negative_prompt, max_sequence_length, strength, images = [] } = params
  const paths = images.map((image) => join(folder, image))
  const pictures = picturesOf(golden)
  return {
    program: 'P0',
    model,
    width: params.width,
    height: params.height,
    steps: params.num_inference_steps,
    ...Object.fromEntries(GUIDANCE.flatMap((key) => (params[key] === undefined ? [] : [[key, params[key]]]))),
    batch: pictures.length,
    ...(negative_prompt === undefined ? {} : { negative_prompt }),
    ...(max_sequence_length === undefined ? {} : { max_sequence_length }),
    ...(Object.keys(scheduler.overrides).length === 0 ? {} : { scheduler: scheduler.overrides }),
    ...(task === 'img2img' ? { image: paths[0], denoise_strength: strength } : {}),
    ...(task === 'edit' ? { images: paths } : {}),
    variants: Object.fromEntries(
      pictures.map(({ prompt, seed }, index) => [`p${index}`, { prompt, seed }] as const),
    ),
  }
}
