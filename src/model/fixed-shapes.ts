/** Sizes that an export has built in, read from its .onnx files: what the plan must keep to, and what no plan can. */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { FamilyFacts } from '../families/family.ts'
import { type ComponentName, familyOf, TOKENIZER_NAMES } from '../families/index.ts'
import { numberIn } from '../families/model-view.ts'
import type { FixedShapes } from '../plan/fixed-shapes.ts'
import { type Count, type FixedDim, fixedDims, type Headers } from './fixed-dims.ts'
import { fixedVideo } from './fixed-video.ts'
import type { ModelFolder } from './folder.ts'
import { readOptionalJsonFile } from './json-file.ts'
import { viewOf } from './view.ts'

/** CLIP's tokens, where the tokenizer does not say. */
const CLIP_TOKENS = 77
/** Any longer one stands for "no limit". */
const MAX_CLIP_TOKENS = 4096

/** Asked for with every prompt of a plan. */
const lengths = new WeakMap<ModelFolder, ReadonlyMap<string, number>>()

export function fixedShapes(folder: ModelFolder, headers: Headers, sizeMultiple: number): FixedShapes {
  const { masksTexts = false, imageToImage, video, cuts }: FamilyFacts = familyOf(folder.family)
  const dims = fixedDims(folder, headers)
  const { isSequence, readings } = textLengths(folder, dims)
  const joint = sizeOf(dims, 'joint')
  // Where only text and picture together are built in, the text keeps its usual length.
  const length = readings[0] ?? (joint === null ? null : (cuts?.sequenceLength ?? null))
  const side = numberIn(viewOf(folder), 'transformer', 'pos_embed_max_size')
  // A picture that is only looked at has a size of its own.
  const looked = imageToImage === false ? dims.filter(isOfEncoder) : []
  return {
    rows: sizeOf(dims, 'rows'),
    width: sizeOf(drawn(folder, dims), 'width'),
    height: sizeOf(drawn(folder, dims), 'height'),
    imageTokens: sizeOf(dims, 'image') ?? (joint === null ? null : joint - (length ?? 0)),
    maxSide: side === undefined ? null : side * sizeMultiple,
    sequenceLength: masksTexts ? null : length,
    longestText: masksTexts && readings.length > 0 ? Math.min(...readings) : null,
    textTokens: isSequence ? null : sizeOf(dims, 'text'),
    numFrames: fixedVideo(folder, video, dims).frames[0] ?? null,
    reference: { width: sizeOf(looked, 'width'), height: sizeOf(looked, 'height') },
    scale: folder.vae.scale,
  }
}

/** Sizes that contradict each other, or what pregen feeds whatever the sheet says. */
export function fixedShapeFaults(folder: ModelFolder, headers: Headers): PregenError[] {
  const { denoiser, video, masksTexts = false }: FamilyFacts = familyOf(folder.family)
  const found: { component: string; message: string }[] = []
  const add = (component: string, message: string): void => void found.push({ component, message })
  const dims = fixedDims(folder, headers)
  const of = (count: Count) => dims.filter((dim) => dim.count === count)

  for (const [count, what] of [
    ['rows', 'pictures a call'],
    ['image', 'tokens a picture'],
  ] as const) {
    const sizes = distinct(of(count))
    if (sizes.length > 1) add(denoiser, `${denoiser} has inputs for ${sizes.join(' and for ')} ${what}.`)
  }
  const [first, ...others] = planes(drawn(folder, dims))
  for (const { component, width, height } of others) {
    if (first === undefined || (agree(width, first.width) && agree(height, first.height))) continue
    const [own, its] = [{ width, height }, first].map(
      (size) => `${size.width ?? 'any'} × ${size.height ?? 'any'}`,
    )
    add(component, `${component} is made for pictures of ${own} alone, ${first.component} for ${its}.`)
  }
  for (const { component, size } of of('one').filter((dim) => dim.size !== 1)) {
    const what = component.startsWith('text_') ? 'texts' : 'pictures'
    add(component, `${component} takes ${size} ${what} a call; pregen gives it one.`)
  }
  for (const message of textFaults(folder, dims)) add(denoiser, message)
  for (const { component, message } of clipFaults(folder, dims)) add(component, message)
  const { frames, faults } = fixedVideo(folder, video, dims)
  if (new Set(frames).size > 1) {
    add(
      denoiser,
      `Parts of the model are made for videos of ${[...new Set(frames)].join(' and of ')} frames.`,
    )
  }
  for (const { component, message } of faults) add(component, message)
  const help = masksTexts
    ? 'Export it with free sizes, or all parts for the same ones.'
    : 'Export it with free sizes (optimum-cli export onnx), or all parts for the same ones.'
  const messages = new Map(found.map((fault) => [fault.message, fault]))
  return [...messages.values()].map(({ component, message }) => {
    const file = partOf(folder, component)?.modelPath ?? folder.path
    return new PregenError('E_MODEL_FIXED_SHAPES', message, { help, location: { file } })
  })
}

function partOf({ components }: ModelFolder, component: string) {
  return Object.values(components).find(({ name }) => name === component)
}

function isOfEncoder({ component }: FixedDim): boolean {
  return component === 'vae_encoder'
}

/** Of parts that take or give what is drawn. */
function drawn({ family }: ModelFolder, dims: readonly FixedDim[]): readonly FixedDim[] {
  const { imageToImage }: FamilyFacts = familyOf(family)
  return imageToImage === false ? dims.filter((dim) => !isOfEncoder(dim)) : dims
}

interface Plane {
  readonly component: ComponentName
  /** In pixels; null: any. */
  readonly width: number | null
  readonly height: number | null
}

/** Sizes of pictures that inputs and outputs have built in; first what all others are held to. */
function planes(dims: readonly FixedDim[]): Plane[] {
  const places = dims.filter(({ count }) => count === 'width' || count === 'height')
  const values = new Set(places.map(({ component, value }) => `${component} ${value}`))
  const all = [...values].map((key) => {
    const own = places.filter(({ component, value }) => `${component} ${value}` === key)
    return { component: own[0]!.component, width: sizeOf(own, 'width'), height: sizeOf(own, 'height') }
  })
  const [first] = all
  if (first === undefined) return []
  // A side that the first leaves free may be built in further on.
  return [{ ...first, width: sizeOf(places, 'width'), height: sizeOf(places, 'height') }, ...all]
}

interface TextLengths {
  /** Whether texts may have other lengths than CLIP's. */
  readonly isSequence: boolean
  /** The encoder of such texts; undefined: the model has none, and zeros stand in its place. */
  readonly encoder: ComponentName | undefined
  /** `max_sequence_length` as each fixed axis has it. */
  readonly readings: readonly number[]
}

function textLengths(folder: ModelFolder, dims: readonly FixedDim[]): TextLengths {
  const { contract, maxSequenceLength, cuts }: FamilyFacts = familyOf(folder.family)
  const hasLimit = maxSequenceLength(viewOf(folder)) !== null
  const isSequence = hasLimit || (cuts?.sequenceLength ?? null) !== null
  const encoder = hasLimit
    ? familyOf(folder.family).contract.findLast(
        (each) => 'tokenizer' in each && folder.components[each.component] !== undefined,
      )?.component
    : undefined
  // Beside T5's, Stable Diffusion 3 has the tokens of its CLIPs.
  const isBesideClip = contract.filter(({ tokenizer }) => tokenizer !== undefined).length > 2
  const clip = isBesideClip ? clipTokens(folder, 'tokenizer') : 0
  const readings = dims.flatMap(({ component, count, size }) => {
    if (count === 'text') return [size - clip]
    return count === 'length' && component === encoder ? [size - (cuts?.droppedTokens ?? 0)] : []
  })
  return { isSequence, encoder, readings: isSequence ? readings : [] }
}

/** Lengths that do not go together. */
function textFaults(folder: ModelFolder, dims: readonly FixedDim[]): string[] {
  const { denoiser, masksTexts = false }: FamilyFacts = familyOf(folder.family)
  const { isSequence, readings } = textLengths(folder, dims)
  const faults: string[] = []
  if (readings.some((length) => length < 1)) {
    faults.push(
      `Parts of the model are made for texts of ${Math.min(...readings)} tokens, what goes before them aside.`,
    )
  }
  const texts = dims.filter(({ count }) => count === 'text')
  // A mask tells a text's own tokens, so that the encoder and the denoiser may have room for different numbers.
  const lengths = masksTexts ? distinct(texts) : [...new Set(readings)]
  if (lengths.length > 1) {
    faults.push(`Parts of the model are made for texts of ${lengths.join(' and of ')} tokens.`)
  }
  const [image, joint] = [sizeOf(dims, 'image'), sizeOf(dims, 'joint')]
  const [length] = readings
  if (image !== null && joint !== null && length !== undefined && image + length !== joint) {
    faults.push(
      `${denoiser} is made for ${image} tokens of a picture and ${length} of a text, and for ${joint} of both.`,
    )
  }
  const clip = clipTokens(folder, 'tokenizer')
  const other = isSequence ? undefined : texts.find(({ size }) => size !== clip)
  if (other !== undefined) {
    faults.push(`${other.component} takes texts of ${other.size} tokens; the tokenizer gives ${clip}.`)
  }
  return faults
}

/** CLIPs for texts of another length than their tokenizer's. */
function clipFaults(
  folder: ModelFolder,
  dims: readonly FixedDim[],
): { component: string; message: string }[] {
  const { contract }: FamilyFacts = familyOf(folder.family)
  const { encoder } = textLengths(folder, dims)
  const isJoint = contract.filter(({ tokenizer }) => tokenizer !== undefined).length > 2
  return contract.flatMap(({ component, tokenizer }) => {
    if (tokenizer === undefined || component === encoder) return []
    // Stable Diffusion 3's CLIPs take the first one's length, as diffusers has it.
    const fed = clipTokens(folder, isJoint ? 'tokenizer' : tokenizer)
    const own = dims.filter(
      (dim) => dim.component === component && dim.count === 'length' && dim.size !== fed,
    )
    return own.map(({ size }) => ({
      component,
      message: `${component} takes texts of ${size} tokens; its tokenizer gives ${fed}.`,
    }))
  })
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

function sizeOf(dims: readonly FixedDim[], count: Count): number | null {
  return dims.find((dim) => dim.count === count)?.size ?? null
}

function distinct(dims: readonly FixedDim[]): number[] {
  return [...new Set(dims.map(({ size }) => size))]
}

function agree(one: number | null, other: number | null): boolean {
  return one === null || other === null || one === other
}
