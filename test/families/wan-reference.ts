/** Tiny Wan models with diffusers' own videos, kept packed: unpacked once for each file of tests. */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SchedulerConfig } from '../../src/diffusion/scheduler.ts'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'

export interface VideoCase {
  readonly case: string
  readonly model: string
  readonly params: {
    readonly prompt: string
    readonly negative_prompt?: string
    readonly seed: number
    readonly width: number
    readonly height: number
    readonly num_frames: number
    readonly num_inference_steps: number
    readonly guidance_scale: number
    readonly guidance_scale_2?: number
    readonly max_sequence_length?: number
    readonly strength?: number
    /** Relative to the case's folder. */
    readonly image?: string
    readonly last_image?: string
    readonly video?: string
  }
  readonly resolved: { readonly num_frames: number }
  readonly cleaned: { readonly prompt: string }
  readonly scheduler: { readonly class: string; readonly from: string; readonly overrides: SchedulerConfig }
  readonly token_ids: { readonly tokenizer: { readonly prompt: readonly number[] } }
  readonly arrays: Readonly<Record<string, { readonly file?: string; readonly shape: readonly number[] }>>
  readonly frames: { readonly folder: string; readonly count: number }
  /** Of the case. */
  readonly folder: string
}

export interface VideoReference {
  readonly folder: string
  readonly cases: readonly VideoCase[]
  readonly modelPath: (name: string) => string
}

const TEXT = ['text_encoder', 'tokenizer'] as const
const VAE = ['vae_decoder', 'vae_decoder_with_past', 'vae_encoder', 'vae_encoder_with_past'] as const
const SHARED = [
  ['wan22-ti2v-tiny', TEXT],
  ['wan22-i2v-tiny', [...TEXT, ...VAE]],
] as const

/** Call it outside of tests: what it unpacks is gone when the file's tests are over. */
export function unpackVideos(): VideoReference {
  const { folder } = createScratch()
  for (const name of ['wan-tiny', 'wan22-tiny']) {
    const archive = join(packageRoot, `test/fixtures/families/${name}.tar.xz`)
    const { status, stderr } = spawnSync('tar', ['-xJf', archive, '-C', folder], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${archive} cannot be unpacked: ${stderr}`)
  }
  // The second archive holds what its models have of their own: text encoder and tokenizer are those of the first, and the VAE of one.
  for (const [model, components] of SHARED) {
    for (const component of components) {
      const own = join(folder, 'models', model, component)
      cpSync(join(folder, 'models/wan-t2v-tiny', component), own, { recursive: true })
    }
  }
  const goldens = join(folder, 'goldens')
  const cases = readdirSync(goldens)
    .sort()
    .flatMap((model) =>
      readdirSync(join(goldens, model))
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => ({
          ...JSON.parse(readFileSync(join(goldens, model, name), 'utf8')),
          folder: join(goldens, model),
        })),
    )
  return { folder, cases, modelPath: (name) => join(folder, 'models', name) }
}

export function arrayOf({ arrays, folder }: VideoCase, name: string): Float32Array | null {
  const file = arrays[name]?.file
  if (file === undefined) return null
  const bytes = readFileSync(join(folder, file))
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

/** A cue of one variant, `v`, that is the case. */
export function cueOf({ params, scheduler, model, folder }: VideoCase): Readonly<Record<string, unknown>> {
  const { width, height, num_frames, guidance_scale, num_inference_steps: steps, strength, seed } = params
  const { image, last_image, video, prompt, ...rest } = params
  const given = { ...(image && { image }), ...(last_image && { last_image }), ...(video && { video }) }
  const settings = (['negative_prompt', 'guidance_scale_2', 'max_sequence_length'] as const).flatMap((key) =>
    rest[key] === undefined ? [] : [[key, rest[key]] as const],
  )
  const { overrides, from } = scheduler
  return {
    ...{ program: 'P0', model, prompt, width, height, num_frames, steps, guidance_scale, frames: true },
    ...Object.fromEntries(settings),
    ...Object.fromEntries(Object.entries(given).map(([key, path]) => [key, join(folder, path)])),
    ...(strength === undefined ? {} : { denoise_strength: strength }),
    ...(from === 'override' ? { scheduler: { name: scheduler.class, ...overrides } } : {}),
    ...(from === 'model' && Object.keys(overrides).length > 0 ? { scheduler: overrides } : {}),
    variants: { v: { seed } },
  }
}

export function largestDifference(given: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (given.length !== wanted.length) return Number.POSITIVE_INFINITY
  let largest = 0
  for (let i = 0; i < wanted.length; i++) largest = Math.max(largest, Math.abs(given[i]! - wanted[i]!))
  return largest
}
