/** A model folder in diffusers' ONNX layout, read from its JSON files; no weights are touched. Plain data. */
import { existsSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { SchedulerConfig } from '../diffusion/scheduler.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import type { FamilyFacts } from '../families/family.ts'
import {
  COMPONENT_NAMES,
  type ComponentName,
  type FamilyName,
  familyOf,
  TOKENIZER_NAMES,
  type TokenizerName,
} from '../families/index.ts'
import type { JsonObject } from '../model-files/json-text.ts'
import { placeInside } from '../model-files/open.ts'
import { configSizeFaults } from './config-sizes.ts'
import { detectFamily } from './families.ts'
import { readJsonFile, readOptionalJsonFile } from './json-file.ts'
import { missingStatistics } from './latent-statistics.ts'

export interface ModelComponent {
  readonly name: ComponentName
  /** Absolute path of the component's folder. */
  readonly folder: string
  /** Absolute path of its `model.onnx`. */
  readonly modelPath: string
  /** Its `config.json`; empty when it has none, as in folders exported long ago. */
  readonly config: JsonObject
}

/** Files of a tokenizer's folder that decide its ids. */
export const TOKENIZER_FILES = [
  'added_tokens.json',
  'merges.txt',
  'special_tokens_map.json',
  'spiece.model',
  'tokenizer.json',
  'tokenizer_config.json',
  'vocab.json',
]

/** What connects pictures and latents. */
export interface VaeFacts {
  /** Picture size over latent size: 8 for all families here. */
  readonly scale: number
  readonly latentChannels: number
  readonly scalingFactor: number
  /** 0 where the model has none. */
  readonly shiftFactor: number
  /** Per channel, or null; SDXL derivatives such as Playground v2.5. */
  readonly latentsMean: readonly number[] | null
  readonly latentsStd: readonly number[] | null
}

export interface ModelFolder {
  /** Absolute. */
  readonly path: string
  readonly family: FamilyName
  /** `_class_name` of model_index.json. */
  readonly className: string
  readonly modelIndex: JsonObject
  readonly components: Readonly<Partial<Record<ComponentName, ModelComponent>>>
  /** Absolute paths of the tokenizers' folders. */
  readonly tokenizers: Readonly<Partial<Record<TokenizerName, string>>>
  /** diffusers' class name, such as `EulerDiscreteScheduler`. */
  readonly schedulerClass: string
  readonly schedulerConfig: JsonObject
  readonly vae: VaeFacts
  /** Absolute path of a tiny decoder for previews (TAESD and its kin), or null. */
  readonly previewDecoder: string | null
}

export interface ReadModelFolderOptions {
  /** Family or diffusers class that wins over model_index.json (`pipeline:` in the sheet). */
  readonly pipeline?: string | undefined
  /** Path of a preview decoder's .onnx file or folder; default: `preview_decoder/` or `taesd/` in the model folder. */
  readonly previewDecoder?: string | undefined
}

/**
 * @throws PregenErrors with every fault of the folder's JSON files; the .onnx files are `checkModelFolder`'s matter
 */
export function readModelFolder(path: string, options: ReadModelFolderOptions = {}): ModelFolder {
  const root = resolve(path)
  requireFolder(root)
  const faults: PregenError[] = []
  const attempt = <Value>(read: () => Value, otherwise: Value): Value => {
    try {
      return read()
    } catch (thrown) {
      if (!(thrown instanceof PregenError)) throw thrown
      faults.push(thrown)
      return otherwise
    }
  }

  const indexPath = join(root, 'model_index.json')
  const modelIndex = attempt(() => readJsonFile(indexPath, 'It names the pipeline and its parts.', root), {})
  const className = typeof modelIndex._class_name === 'string' ? modelIndex._class_name : ''
  const family =
    faults.length > 0 && options.pipeline === undefined
      ? undefined
      : attempt(() => detectFamily(className, options.pipeline, indexPath), undefined)

  const components: Partial<Record<ComponentName, ModelComponent>> = {}
  for (const name of COMPONENT_NAMES) {
    const folder = join(root, name)
    if (!isFolder(folder) || attempt(() => placeInside(folder, root), null) === null) continue
    const config = attempt(() => readOptionalJsonFile(join(folder, 'config.json'), root), null) ?? {}
    const component = { name, folder, modelPath: join(folder, 'model.onnx'), config }
    faults.push(...configSizeFaults(component))
    components[name] = component
  }
  const tokenizers: Partial<Record<TokenizerName, string>> = {}
  for (const name of TOKENIZER_NAMES) {
    const folder = join(root, name)
    if (isFolder(folder) && attempt(() => placeInside(folder, root), null) !== null) tokenizers[name] = folder
  }

  const { schedulerConfig, schedulerClass } = attempt(() => readScheduler(root, modelIndex), {
    schedulerConfig: {},
    schedulerClass: '',
  })
  const previewDecoder = attempt(() => findPreviewDecoder(root, options.previewDecoder), null)

  if (family !== undefined)
    faults.push(
      ...missingVaeConfig(components, family),
      ...missingStatistics(components.vae_decoder, vaeConfig(components), family),
    )
  if (faults.length > 0 || family === undefined) throw new PregenErrors(faults)
  const vae = vaeFacts(components, family)
  return {
    path: root,
    family,
    className,
    modelIndex,
    components,
    tokenizers,
    schedulerClass,
    schedulerConfig,
    vae,
    previewDecoder,
  }
}

/** The folder's noise schedule with its class named, as schedulers are made from it. */
export function folderSchedulerConfig({ schedulerClass, schedulerConfig }: ModelFolder): SchedulerConfig {
  return { ...schedulerConfig, _class_name: schedulerClass }
}

function requireFolder(root: string): void {
  if (isFolder(root)) return
  const help =
    'A model is a folder with model_index.json and a folder per component, as optimum-cli export onnx writes it ' +
    '(docs/models.md).'
  throw new PregenErrors([
    existsSync(root)
      ? new PregenError('E_MODEL_NOT_A_FOLDER', 'The model is a file; a folder is needed.', {
          help,
          location: { file: root },
        })
      : new PregenError('E_MODEL_MISSING', 'There is no model folder here.', {
          help,
          location: { file: root },
        }),
  ])
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/**
 * The noise schedule, and the class that runs it: as in diffusers, model_index.json's word counts, and `_class_name` beside
 * the keys only where it has none.
 */
function readScheduler(
  root: string,
  modelIndex: JsonObject,
): Pick<ModelFolder, 'schedulerConfig' | 'schedulerClass'> {
  const file = join(root, 'scheduler', 'scheduler_config.json')
  const schedulerConfig = readJsonFile(file, 'It holds the noise schedule.', root)
  const entry = modelIndex.scheduler
  for (const schedulerClass of [Array.isArray(entry) ? entry[1] : undefined, schedulerConfig._class_name]) {
    if (typeof schedulerClass === 'string') return { schedulerConfig, schedulerClass }
  }
  throw new PregenError('E_MODEL_CONFIG', 'No scheduler class is named.', {
    help: `Add "_class_name", such as "EulerDiscreteScheduler".`,
    location: { file },
  })
}

function findPreviewDecoder(root: string, given: string | undefined): string | null {
  if (given !== undefined) {
    const path = resolve(root, given)
    const file = isFolder(path) ? join(path, 'model.onnx') : path
    if (existsSync(file)) return file
    throw new PregenError('E_MODEL_MISSING', 'There is no preview decoder here.', {
      help: 'preview_decoder names an .onnx file, or a folder with a model.onnx.',
      location: { file },
    })
  }
  const candidates = ['preview_decoder', 'taesd'].map((name) => join(root, name, 'model.onnx'))
  return candidates.find((file) => existsSync(file)) ?? null
}

/**
 * The folder that a preview decoder's files may not lead out of: the model's, or its own where the sheet names one that
 * lies elsewhere.
 */
export function previewDecoderRoot({ path }: Pick<ModelFolder, 'path'>, previewDecoder: string): string {
  const below = relative(path, previewDecoder)
  return isAbsolute(below) || below.startsWith(`..${sep}`) ? dirname(previewDecoder) : path
}

/** Another family's VAE tells its scaling in its config alone: no constant can stand in for it. */
function missingVaeConfig(
  components: Partial<Record<ComponentName, ModelComponent>>,
  family: FamilyName,
): PregenError[] {
  const { vae_decoder: decoder } = components
  if (decoder === undefined || familyOf(family).hasDefaultVae === true) return []
  if (Object.keys(vaeConfig(components)).length > 0) return []
  return [
    new PregenError(
      'E_MODEL_FILE_MISSING',
      'This file of the model is missing. It says how latents are scaled.',
      {
        help: 'Take the config.json of the VAE that was exported (in the original model: vae/config.json).',
        location: { file: join(decoder.folder, 'config.json') },
      },
    ),
  ]
}

function vaeConfig({
  vae_decoder: decoder,
  vae_encoder: encoder,
}: Partial<Record<ComponentName, ModelComponent>>): JsonObject {
  const own = decoder?.config ?? {}
  return Object.keys(own).length > 0 ? own : (encoder?.config ?? {})
}

/** diffusers' defaults where the export left a key out: scaling 0.18215 is AutoencoderKL's. */
function vaeFacts(components: Partial<Record<ComponentName, ModelComponent>>, family: FamilyName): VaeFacts {
  const config = vaeConfig(components)
  const { vaeScalingFactor = 0.18215, latentChannels }: FamilyFacts = familyOf(family)
  // Wan's and Qwen-Image's VAEs have words of their own for the same numbers.
  const { block_out_channels: blocks, temperal_downsample: halvings } = config
  const channels = config.latent_channels ?? config.z_dim
  const number = (key: string, otherwise: number): number => {
    const value = config[key]
    return typeof value === 'number' ? value : otherwise
  }
  const list = (key: string): readonly number[] | null => {
    const value = config[key]
    return Array.isArray(value) && value.every((item) => typeof item === 'number') ? value : null
  }
  return {
    scale:
      typeof config.scale_factor_spatial === 'number'
        ? config.scale_factor_spatial
        : Array.isArray(blocks)
          ? 2 ** (blocks.length - 1)
          : Array.isArray(halvings)
            ? 2 ** halvings.length
            : 8,
    latentChannels: typeof channels === 'number' ? channels : latentChannels,
    scalingFactor: number('scaling_factor', vaeScalingFactor),
    shiftFactor: number('shift_factor', 0),
    latentsMean: list('latents_mean'),
    latentsStd: list('latents_std'),
  }
}
