/** Sizes that an export has built in, read from its .onnx files: what the plan must keep to, and what no plan can. */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { ComponentContract } from '../families/contract.ts'
import type { FamilyFacts } from '../families/family.ts'
import { type ComponentName, familyOf, TOKENIZER_NAMES } from '../families/index.ts'
import { numberIn } from '../families/model-view.ts'
import type { FixedShapes } from '../plan/fixed-shapes.ts'
import type { ModelFolder } from './folder.ts'
import { readOptionalJsonFile } from './json-file.ts'
import type { OnnxHeader, OnnxValue } from './onnx-header.ts'
import { viewOf } from './view.ts'

type Headers = ReadonlyMap<ComponentName, OnnxHeader>

/** Inputs of a denoiser that have no row a picture, or take one value for all. */
const WITHOUT_ROWS: ReadonlySet<string> = new Set(['timestep', 'txt_ids', 'img_ids', 'height', 'width'])
/** CLIP's tokens, where the tokenizer does not say. */
const CLIP_TOKENS = 77
/** Any longer one stands for "no limit". */
const MAX_CLIP_TOKENS = 4096

/** Asked for with every prompt of a plan. */
const lengths = new WeakMap<ModelFolder, ReadonlyMap<string, number>>()

export function fixedShapes(folder: ModelFolder, headers: Headers, sizeMultiple: number): FixedShapes {
  const { maxSequenceLength, cuts }: FamilyFacts = familyOf(folder.family)
  const { scale } = folder.vae
  const sample = sampleOf(folder, headers)
  const texts = dimsOf(headers.get(familyOf(folder.family).denoiser)?.inputs, 'encoder_hidden_states')[1]
  const encoder = sequenceEncoder(folder)
  const clip = folder.family === 'sd3' ? CLIP_TOKENS : 0
  const tokens = encoder === undefined ? undefined : dimsOf(headers.get(encoder)?.inputs, 'input_ids')[1]
  const isSequence = encoder !== undefined || maxSequenceLength(viewOf(folder)) !== null
  const side = numberIn(viewOf(folder), 'transformer', 'pos_embed_max_size')
  return {
    rows: rowsOf(folder, headers)[0] ?? null,
    width: planes(folder, headers)[0]?.width ?? null,
    height: planes(folder, headers)[0]?.height ?? null,
    imageTokens: sample.length === 3 && typeof sample[1] === 'number' ? sample[1] : null,
    maxSide: side === undefined ? null : side * sizeMultiple,
    sequenceLength: isSequence ? (minus(tokens, cuts?.droppedTokens ?? 0) ?? minus(texts, clip)) : null,
    textTokens: isSequence ? null : fixed(texts),
    scale,
  }
}

/** Sizes that contradict each other, or what pregen feeds whatever the sheet says. */
export function fixedShapeFaults(folder: ModelFolder, headers: Headers): PregenError[] {
  const { contract, denoiser } = familyOf(folder.family)
  const faults: PregenError[] = []
  const add = (component: ComponentName, what: string): void => {
    const help = 'Export it with free sizes (optimum-cli export onnx), or all parts for the same ones.'
    const file = folder.components[component]?.modelPath ?? folder.path
    faults.push(new PregenError('E_MODEL_FIXED_SHAPES', what, { help, location: { file } }))
  }
  const rows = rowsOf(folder, headers)
  if (rows.length > 1) add(denoiser, `${denoiser} has inputs for ${rows.join(' and for ')} pictures a call.`)
  const [first, ...others] = planes(folder, headers)
  for (const { component, width, height } of others) {
    if (first === undefined || (agree(width, first.width) && agree(height, first.height))) continue
    const [own, its] = [{ width, height }, first].map(
      (size) => `${size.width ?? 'any'} × ${size.height ?? 'any'}`,
    )
    add(component, `${component} is made for pictures of ${own} alone, ${first.component} for ${its}.`)
  }
  for (const each of contract) {
    if (each.component === denoiser) continue
    const header = headers.get(each.component)
    const [name] = each.inputs
    const [batch, length] = dimsOf(header?.inputs, name)
    if (typeof batch === 'number' && batch !== 1) {
      add(
        each.component,
        `${each.component} takes ${batch} ${'tokenizer' in each ? 'texts' : 'pictures'} a call; pregen gives it one.`,
      )
    }
    if (!('tokenizer' in each) || each.component === sequenceEncoder(folder)) continue
    const fed = clipTokens(folder, each.tokenizer)
    if (typeof length === 'number' && length !== fed) {
      add(each.component, `${each.component} takes texts of ${length} tokens; its tokenizer gives ${fed}.`)
    }
  }
  return faults
}

/** The dimensions of the denoiser's latents. */
function sampleOf(folder: ModelFolder, headers: Headers): OnnxValue['dims'] {
  const { contract, denoiser } = familyOf(folder.family)
  const own = contract.find(({ component }) => component === denoiser)
  return dimsOf(headers.get(denoiser)?.inputs, own?.inputs[0])
}

/** Rows a call that the denoiser's inputs name, each number once. */
function rowsOf(folder: ModelFolder, headers: Headers): number[] {
  const { contract, denoiser } = familyOf(folder.family)
  const own: ComponentContract | undefined = contract.find(({ component }) => component === denoiser)
  const inputs = headers.get(denoiser)?.inputs ?? []
  const known = new Set([...(own?.inputs ?? []), ...(own?.optionalInputs ?? [])])
  const rows = inputs
    .filter(({ name }) => known.has(name) && !WITHOUT_ROWS.has(name))
    .flatMap(({ dims: [first] }) => (typeof first === 'number' ? [first] : []))
  return [...new Set(rows)]
}

interface Plane {
  readonly component: ComponentName
  /** In pixels; null: any. */
  readonly width: number | null
  readonly height: number | null
}

/** Sizes of pictures that the parts have built in, the denoiser's first. */
function planes(folder: ModelFolder, headers: Headers): Plane[] {
  const { scale } = folder.vae
  const { denoiser, contract } = familyOf(folder.family)
  const own: ComponentContract | undefined = contract.find(({ component }) => component === denoiser)
  const found: Plane[] = []
  const look = (component: ComponentName, dims: OnnxValue['dims'], pixels: number): void => {
    if (dims.length < 4) return
    const [height, width] = dims.slice(-2).map((side) => (typeof side === 'number' ? side * pixels : null))
    if (height == null && width == null) return
    found.push({ component, height: height ?? null, width: width ?? null })
  }
  const part = headers.get(denoiser)
  look(denoiser, dimsOf(part?.inputs, own?.inputs[0]), scale)
  for (const name of own?.outputs[0] ?? []) look(denoiser, dimsOf(part?.outputs, name), scale)
  look('vae_decoder', dimsOf(headers.get('vae_decoder')?.inputs, 'latent_sample'), scale)
  look('vae_encoder', dimsOf(headers.get('vae_encoder')?.inputs, 'sample'), 1)
  return found
}

/** The encoder whose prompts may have any length, as T5's. */
function sequenceEncoder(folder: ModelFolder): ComponentName | undefined {
  const { contract, maxSequenceLength } = familyOf(folder.family)
  if (maxSequenceLength(viewOf(folder)) === null) return undefined
  return contract.findLast((each) => 'tokenizer' in each && folder.components[each.component] !== undefined)
    ?.component
}

/** Tokens that a CLIP tokenizer gives, padded or cut. */
export function clipTokens(folder: ModelFolder, tokenizer: string): number {
  const known = lengths.get(folder)?.get(tokenizer)
  if (known !== undefined) return known
  const length = readClipTokens(folder, tokenizer)
  lengths.set(folder, new Map([...(lengths.get(folder) ?? []), [tokenizer, length]]))
  return length
}

function readClipTokens(folder: ModelFolder, tokenizer: string): number {
  const name = TOKENIZER_NAMES.find((known) => known === tokenizer)
  const place = name === undefined ? undefined : folder.tokenizers[name]
  if (place === undefined) return CLIP_TOKENS
  const declared = readOptionalJsonFile(join(place, 'tokenizer_config.json'), folder.path)?.model_max_length
  return typeof declared === 'number' && declared <= MAX_CLIP_TOKENS ? Math.trunc(declared) : CLIP_TOKENS
}

function dimsOf(values: readonly OnnxValue[] | undefined, name: string | undefined): OnnxValue['dims'] {
  return values?.find((value) => value.name === name)?.dims ?? []
}

function agree(one: number | null, other: number | null): boolean {
  return one === null || other === null || one === other
}

function fixed(dim: number | string | undefined): number | null {
  return typeof dim === 'number' ? dim : null
}

function minus(dim: number | string | undefined, less: number): number | null {
  return typeof dim === 'number' && dim > less ? dim - less : null
}
