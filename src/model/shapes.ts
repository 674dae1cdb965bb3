/** Whether the components of a folder fit each other: widths of texts, channels of latents. */
import { PregenError } from '../errors.ts'
import type { ComponentName, ModelFolder } from './folder.ts'
import type { OnnxHeader } from './onnx-header.ts'

type Headers = ReadonlyMap<ComponentName, OnnxHeader>

/** What two parts say of one number; undefined where a part says nothing. */
interface Agreement {
  readonly what: string
  readonly wanted: number | undefined
  readonly wantedBy: ComponentName
  readonly given: number | undefined
  readonly givenBy: string
  /** `at most` for CLIP's width in SD3, which is padded. */
  readonly atMost?: boolean
}

export function shapeFaults(folder: ModelFolder, headers: Headers): PregenError[] {
  return agreements(folder, headers).flatMap(({ what, wanted, wantedBy, given, givenBy, atMost = false }) => {
    if (wanted === undefined || given === undefined) return []
    if (atMost ? given <= wanted : given === wanted) return []
    return [
      new PregenError(
        'E_MODEL_SHAPES',
        `${wantedBy} takes ${what} of ${wanted} channels; ${givenBy} gives ${given}.`,
        {
          help: 'These parts come from different models. Take all of them from one export.',
          location: { file: folder.components[wantedBy]?.modelPath ?? folder.path },
        },
      ),
    ]
  })
}

function agreements(folder: ModelFolder, headers: Headers): Agreement[] {
  const input = (component: ComponentName, name: string, axis: number) =>
    dimension(headers.get(component)?.inputs, name, axis)
  const output = (component: ComponentName, name: string, axis: number) =>
    dimension(headers.get(component)?.outputs, name, axis)
  const config = (component: ComponentName, key: string): number | undefined => {
    const value = folder.components[component]?.config[key]
    return typeof value === 'number' ? value : undefined
  }
  const width = (component: ComponentName): number | undefined =>
    output(component, 'last_hidden_state', 2) ??
    config(component, 'hidden_size') ??
    config(component, 'd_model')
  const projection = (component: ComponentName): number | undefined =>
    output(component, 'text_embeds', 1) ?? config(component, 'projection_dim')
  const context = (component: ComponentName, key: string): number | undefined =>
    input(component, 'encoder_hidden_states', 2) ?? config(component, key)
  const decoderChannels = input('vae_decoder', 'latent_sample', 1) ?? config('vae_decoder', 'latent_channels')

  const latents = (wantedBy: ComponentName, name: string, axis: number, packed = 1): Agreement => ({
    what: packed === 1 ? 'latents' : 'packed latents (4 pixels a token)',
    wanted: input(wantedBy, name, axis) ?? config(wantedBy, 'in_channels'),
    wantedBy,
    given: decoderChannels === undefined ? undefined : decoderChannels * packed,
    givenBy: 'vae_decoder',
  })

  switch (folder.family) {
    case 'sd':
    case 'lcm':
      return [
        {
          what: 'texts',
          wanted: context('unet', 'cross_attention_dim'),
          wantedBy: 'unet',
          given: width('text_encoder'),
          givenBy: 'text_encoder',
        },
        latents('unet', 'sample', 1),
      ]
    case 'sdxl': {
      const alone = folder.components.text_encoder === undefined
      return [
        {
          what: 'texts',
          wanted: context('unet', 'cross_attention_dim'),
          wantedBy: 'unet',
          given: alone ? width('text_encoder_2') : sum(width('text_encoder'), width('text_encoder_2')),
          givenBy: alone ? 'text_encoder_2' : 'text_encoder with text_encoder_2',
        },
        {
          what: 'pooled texts',
          wanted: input('unet', 'text_embeds', 1),
          wantedBy: 'unet',
          given: projection('text_encoder_2'),
          givenBy: 'text_encoder_2',
        },
        latents('unet', 'sample', 1),
      ]
    }
    case 'sd3':
      return [
        {
          what: 'texts',
          wanted: context('transformer', 'joint_attention_dim'),
          wantedBy: 'transformer',
          given: sum(width('text_encoder'), width('text_encoder_2')),
          givenBy: 'text_encoder with text_encoder_2',
          atMost: true,
        },
        {
          what: 'texts',
          wanted: context('transformer', 'joint_attention_dim'),
          wantedBy: 'transformer',
          given: width('text_encoder_3'),
          givenBy: 'text_encoder_3',
        },
        {
          what: 'pooled texts',
          wanted:
            input('transformer', 'pooled_projections', 1) ?? config('transformer', 'pooled_projection_dim'),
          wantedBy: 'transformer',
          given: sum(projection('text_encoder'), projection('text_encoder_2')),
          givenBy: 'text_encoder with text_encoder_2',
        },
        latents('transformer', 'hidden_states', 1),
      ]
    case 'flux':
      return [
        {
          what: 'texts',
          wanted: context('transformer', 'joint_attention_dim'),
          wantedBy: 'transformer',
          given: width('text_encoder_2'),
          givenBy: 'text_encoder_2',
        },
        {
          what: 'pooled texts',
          wanted:
            input('transformer', 'pooled_projections', 1) ?? config('transformer', 'pooled_projection_dim'),
          wantedBy: 'transformer',
          given: output('text_encoder', 'pooler_output', 1) ?? config('text_encoder', 'hidden_size'),
          givenBy: 'text_encoder',
        },
        latents('transformer', 'hidden_states', 2, 4),
      ]
  }
}

function dimension(values: OnnxHeader['inputs'] | undefined, name: string, axis: number): number | undefined {
  const dim = values?.find((value) => value.name === name)?.dims[axis]
  return typeof dim === 'number' ? dim : undefined
}

function sum(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left + right
}
