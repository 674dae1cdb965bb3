/** What each family's components must take and give: optimum's export contract, which the pipelines are written to. */
import type { Family } from '../plan/model-facts.ts'
import type { ComponentName, TokenizerName } from './folder.ts'

export interface ComponentContract {
  readonly component: ComponentName
  /** Needed only where model_index.json lists it. */
  readonly optional?: boolean
  readonly tokenizer?: TokenizerName
  readonly inputs: readonly string[]
  /** Inputs that the pipelines feed where the model has them; any further one is a fault. */
  readonly optionalInputs?: readonly string[]
  /** Each entry: one of these names. */
  readonly outputs: readonly (readonly string[])[]
}

interface EncoderOptions {
  readonly outputs: readonly string[]
  readonly optional?: boolean
}

function textEncoder(
  component: ComponentName,
  tokenizer: TokenizerName,
  { outputs, optional = false }: EncoderOptions,
): ComponentContract {
  return {
    component,
    tokenizer,
    optional,
    inputs: ['input_ids'],
    optionalInputs: ['attention_mask'],
    outputs: outputs.map((name) => [name]),
  }
}

/** `hidden_states.N-1` stands for the penultimate state; the checker puts the number in. */
export const PENULTIMATE = 'hidden_states.N-1'

const UNET: ComponentContract = {
  component: 'unet',
  inputs: ['sample', 'timestep', 'encoder_hidden_states'],
  optionalInputs: ['timestep_cond'],
  outputs: [['out_sample']],
}
const VAE: readonly ComponentContract[] = [
  { component: 'vae_decoder', inputs: ['latent_sample'], outputs: [['sample']] },
  {
    component: 'vae_encoder',
    optional: true,
    inputs: ['sample'],
    outputs: [['latent_parameters', 'latent_sample']],
  },
]
const TRANSFORMER_INPUTS = ['hidden_states', 'encoder_hidden_states', 'pooled_projections', 'timestep']

export const CONTRACTS: Readonly<Record<Family, readonly ComponentContract[]>> = {
  sd: [textEncoder('text_encoder', 'tokenizer', { outputs: ['last_hidden_state'] }), UNET, ...VAE],
  lcm: [
    textEncoder('text_encoder', 'tokenizer', { outputs: ['last_hidden_state'] }),
    { ...UNET, inputs: [...UNET.inputs, 'timestep_cond'], optionalInputs: [] },
    ...VAE,
  ],
  sdxl: [
    textEncoder('text_encoder', 'tokenizer', { outputs: [PENULTIMATE], optional: true }),
    textEncoder('text_encoder_2', 'tokenizer_2', { outputs: [PENULTIMATE, 'text_embeds'] }),
    { ...UNET, inputs: [...UNET.inputs, 'text_embeds', 'time_ids'] },
    ...VAE,
  ],
  sd3: [
    textEncoder('text_encoder', 'tokenizer', { outputs: [PENULTIMATE, 'text_embeds'] }),
    textEncoder('text_encoder_2', 'tokenizer_2', { outputs: [PENULTIMATE, 'text_embeds'] }),
    textEncoder('text_encoder_3', 'tokenizer_3', { outputs: ['last_hidden_state'], optional: true }),
    { component: 'transformer', inputs: TRANSFORMER_INPUTS, outputs: [['out_hidden_states']] },
    ...VAE,
  ],
  flux: [
    textEncoder('text_encoder', 'tokenizer', { outputs: ['pooler_output'] }),
    textEncoder('text_encoder_2', 'tokenizer_2', { outputs: ['last_hidden_state'] }),
    {
      component: 'transformer',
      inputs: [...TRANSFORMER_INPUTS, 'txt_ids', 'img_ids'],
      optionalInputs: ['guidance'],
      outputs: [['out_hidden_states']],
    },
    ...VAE,
  ],
}
