/** Which axes of a model's inputs and outputs an export has fixed, and what each of them counts. */
import type { ComponentContract } from '../families/contract.ts'
import { type ComponentName, familyOf } from '../families/index.ts'
import type { ModelFolder } from './folder.ts'
import type { OnnxHeader, OnnxValue } from './onnx-header.ts'

export type Headers = ReadonlyMap<ComponentName, OnnxHeader>

export type Count =
  /** Pictures of a call of the denoiser, twice as many where guidance stacks its halves. */
  | 'rows'
  /** What pregen gives one at a time: texts, and pictures of a VAE. */
  | 'one'
  /** Tokens of a text: an encoder's own, and those that the denoiser is given. */
  | 'length'
  | 'text'
  /** Tokens of a picture, and of text and picture together. */
  | 'image'
  | 'joint'
  /** Pixels. */
  | 'height'
  | 'width'
  /** Latent frames of a video, and frames. */
  | 'latentFrames'
  | 'frames'
  /** Pictures that a video's CLIP is shown and the denoiser is told of, and their side in pixels. */
  | 'shown'
  | 'side'

export interface FixedDim {
  readonly component: ComponentName
  readonly value: string
  readonly count: Count
  readonly size: number
}

/** Every axis that the contract's inputs and outputs have fixed. */
export function fixedDims(folder: ModelFolder, headers: Headers): FixedDim[] {
  return familyOf(folder.family).contract.flatMap((part) => {
    const { component }: { readonly component: ComponentName } = part
    const header = headers.get(component)
    if (header === undefined) return []
    const { inputs, optionalInputs = [] }: ComponentContract = part
    const axesOf = axesFor(folder, part)
    const known = new Set([...inputs, ...optionalInputs])
    const values = [
      ...header.inputs.filter(({ name }) => known.has(name)),
      ...header.outputs.filter(({ name }) => !name.startsWith('present.')),
    ]
    return values.flatMap((value) => dimsOf(component, value, axesOf(value)))
  })
}

interface Axes {
  readonly counts: readonly Counted[]
  /** Pixels that a step along height or width is. */
  readonly pixels: number
}

/** null: channels and the like, which shapes.ts and graph-sizes.ts compare. */
type Counted = Count | null

function dimsOf(component: ComponentName, { name, dims }: OnnxValue, { counts, pixels }: Axes): FixedDim[] {
  return dims.flatMap((dim, axis) => {
    const count = counts[axis]
    if (typeof dim !== 'number' || count == null) return []
    const size = count === 'height' || count === 'width' ? dim * pixels : dim
    return [{ component, value: name, count, size }]
  })
}

function axesFor(folder: ModelFolder, part: ComponentContract): (value: OnnxValue) => Axes {
  const { component, inputs } = part
  const { scale } = folder.vae
  const { denoiser } = familyOf(folder.family)
  if (part.tokenizer !== undefined) return (value) => ({ counts: textAxes(value), pixels: 1 })
  if (component.startsWith('vae_')) {
    const isDecoder = component.includes('decoder')
    return ({ name, dims }): Axes => {
      const isInput = inputs.includes(name)
      // How many frames come out follows from how many go in.
      const time: Counted = isInput ? (isDecoder ? 'latentFrames' : 'frames') : null
      const pixels = isInput === isDecoder ? scale : 1
      if (dims.length === 5) return { counts: ['one', null, time, 'height', 'width'], pixels }
      return { counts: ['one', null, 'height', 'width'], pixels }
    }
  }
  if (component === 'image_encoder') {
    return ({ name }) => ({
      counts: inputs.includes(name) ? ['shown', null, 'side', 'side'] : ['shown'],
      pixels: 1,
    })
  }
  const isDenoiser = component === denoiser || component === `${denoiser}_2`
  const isVideo = 'video' in familyOf(folder.family)
  return (value) => ({ counts: isDenoiser ? denoiserAxes(value, isVideo) : [], pixels: scale })
}

const IDS: ReadonlySet<string> = new Set(['input_ids', 'attention_mask'])

/** Pooled vectors have no tokens. */
function textAxes({ name, dims }: OnnxValue): readonly Counted[] {
  return IDS.has(name) || dims.length === 3 ? ['one', 'length'] : ['one']
}

/** Latents are tokens, a plane, or a plane a frame. */
const LATENTS: Readonly<Record<number, readonly Counted[]>> = {
  3: ['rows', 'image'],
  4: ['rows', null, 'height', 'width'],
  5: ['rows', null, 'latentFrames', 'height', 'width'],
}

function denoiserAxes({ name, dims }: OnnxValue, isVideo: boolean): readonly Counted[] {
  switch (name) {
    case 'encoder_hidden_states':
    case 'encoder_attention_mask':
    case 'encoder_hidden_states_mask':
      return ['rows', 'text']
    case 'attention_mask':
      return ['rows', 'joint']
    case 'txt_ids':
      return dims.length === 3 ? ['rows', 'text'] : ['text']
    case 'img_ids':
      return dims.length === 3 ? ['rows', 'image'] : ['image']
    case 'encoder_hidden_states_image':
      return ['shown']
    case 'height':
    case 'width':
      return []
    case 'timestep':
      // One number serves any number of pictures, but for a video's: there each has its own.
      return dims.length === 2 ? ['rows', 'image'] : dims[0] === 1 && !isVideo ? [] : ['rows']
    default:
      return LATENTS[dims.length] ?? ['rows']
  }
}
