/** What the config files claim, held to what the graphs themselves declare, before anything of that size is allocated. */
import { PregenError } from '../errors.ts'

import type { FamilyFacts } from '../families/family.ts'
import { type ComponentName, familyOf } from '../families/index.ts'
import { numberIn } from '../families/model-view.ts'
import type { ModelFolder } from './folder.ts'
import type { OnnxHeader, OnnxValue } from './onnx-header.ts'
import { viewOf } from './view.ts'

type Headers = ReadonlyMap<ComponentName, OnnxHeader>

interface Claim {
  readonly component: ComponentName
  readonly side: 'inputs' | 'outputs'
  readonly value: string
  readonly axis: number
  /** What pregen takes the size for, as messages call it. */
  readonly what: string
  readonly claimed: number
}

export function graphSizeFaults(folder: ModelFolder, headers: Headers): PregenError[] {
  const faults = claims(folder).flatMap((claim): PregenError[] => {
    const { component, side, value, axis, what, claimed } = claim
    const dims = headers.get(component)?.[side].find(({ name }) => name === value)?.dims ?? []
    // Packed latents are tokens: [pictures, tokens, channels]. What they agree with, shapes.ts compares.
    if (dims.length === 3) return []
    const size = dims[axis]
    if (typeof size !== 'number' || size === claimed) return []
    const text = `${component} has ${size} ${what} in ${value}; the folder's configs come to ${claimed}.`
    return [fault(folder, component, text)]
  })
  return [...faults, ...rankFaults(folder, headers)]
}

function claims(folder: ModelFolder): Claim[] {
  const { latentChannels } = folder.vae
  const channels = { what: 'channels', claimed: latentChannels, axis: 1 }
  return [
    ...givenBeside(folder),
    { component: 'vae_decoder', side: 'inputs', value: 'latent_sample', ...channels },
    { component: 'vae_encoder', side: 'outputs', value: 'latent_sample', ...channels },
    {
      ...channels,
      component: 'vae_encoder',
      side: 'outputs',
      value: 'latent_parameters',
      claimed: 2 * latentChannels,
    },
    { component: 'vae_decoder', side: 'outputs', value: 'sample', axis: 1, what: 'channels', claimed: 3 },
    { component: 'vae_encoder', side: 'inputs', value: 'sample', axis: 1, what: 'channels', claimed: 3 },
    { component: 'unet', side: 'outputs', value: 'out_sample', ...channels },
    { component: 'transformer', side: 'outputs', value: 'out_hidden_states', ...channels },
  ]
}

/** What a video's denoiser is given beside its latents, its config alone tells: a mask, and pictures. */
function givenBeside(folder: ModelFolder): Claim[] {
  const { video }: FamilyFacts = familyOf(folder.family)
  if (video === undefined) return []
  return (['transformer', 'transformer_2'] as const).map((component): Claim => {
    const claimed = numberIn(viewOf(folder), component, 'in_channels') ?? folder.vae.latentChannels
    return { component, side: 'inputs', value: 'hidden_states', axis: 1, what: 'channels', claimed }
  })
}

/** With the time before height and width, where a family has it. */
const WITH_TIME: ReadonlySet<string> = new Set(['latent_sample', 'sample'])

const RANKS: readonly (readonly [ComponentName, 'inputs' | 'outputs', string, number])[] = [
  ['unet', 'inputs', 'sample', 4],
  ['unet', 'outputs', 'out_sample', 4],
  ['vae_decoder', 'inputs', 'latent_sample', 4],
  ['vae_decoder', 'outputs', 'sample', 4],
  ['vae_encoder', 'inputs', 'sample', 4],
  ['text_encoder', 'inputs', 'input_ids', 2],
  ['text_encoder_2', 'inputs', 'input_ids', 2],
  ['text_encoder_3', 'inputs', 'input_ids', 2],
]

/** A value with another number of dimensions than pregen feeds or takes; a graph may leave the shape out. */
function rankFaults(folder: ModelFolder, headers: Headers): PregenError[] {
  const { video }: FamilyFacts = familyOf(folder.family)
  return RANKS.flatMap(([component, side, value, still]) => {
    const rank = video !== undefined && WITH_TIME.has(value) ? still + 1 : still
    const dims = headers.get(component)?.[side].find((each: OnnxValue) => each.name === value)?.dims
    if (dims === undefined || dims.length === 0 || dims.length === rank) return []
    return [fault(folder, component, `${component} has ${value} in ${dims.length} dimensions, not ${rank}.`)]
  })
}

function fault(folder: ModelFolder, component: ComponentName, what: string): PregenError {
  return new PregenError('E_MODEL_SHAPES', what, {
    help: 'Configs and graphs come from different models. Take all of them from one export.',
    location: { file: folder.components[component]?.modelPath ?? folder.path },
  })
}
