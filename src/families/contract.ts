/** What a component must take and give: optimum's export contract, which the pipelines are written to. */

export interface ComponentContract {
  readonly component: string
  /** Needed only where model_index.json lists it. */
  readonly optional?: boolean
  /** A text encoder's tokenizer; a component with one is loaded for the prompts and freed before the pictures. */
  readonly tokenizer?: string
  /** Loaded only when a picture is to be read. */
  readonly forImages?: boolean
  /** Loaded by the pipeline itself, in place of the denoiser. */
  readonly onDemand?: boolean
  /** Takes `past.0`, `past.1`, … and gives as many `present.…`, which are the next call's. */
  readonly streams?: boolean
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

export function textEncoder<const Component extends string, const Tokenizer extends string>(
  component: Component,
  tokenizer: Tokenizer,
  { outputs, optional = false }: EncoderOptions,
) {
  return {
    component,
    tokenizer,
    optional,
    inputs: ['input_ids'],
    optionalInputs: ['attention_mask'],
    outputs: outputs.map((name) => [name]),
  } satisfies ComponentContract
}

/** `hidden_states.N-1` stands for the penultimate state; the checker puts the number in. */
export const PENULTIMATE = 'hidden_states.N-1'

/** Stands for the hidden states that `text_encoder_out_layers` of model_index.json names: see `outLayers`. */
export const OUT_LAYERS = 'hidden_states.K'

export const UNET = {
  component: 'unet',
  inputs: ['sample', 'timestep', 'encoder_hidden_states'],
  optionalInputs: ['timestep_cond'],
  outputs: [['out_sample']],
} as const satisfies ComponentContract

export const TRANSFORMER = {
  component: 'transformer',
  inputs: ['hidden_states', 'encoder_hidden_states', 'pooled_projections', 'timestep'],
  outputs: [['out_hidden_states']],
} as const satisfies ComponentContract

export const VAE = [
  { component: 'vae_decoder', inputs: ['latent_sample'], outputs: [['sample']] },
  {
    component: 'vae_encoder',
    optional: true,
    forImages: true,
    inputs: ['sample'],
    outputs: [['latent_parameters', 'latent_sample']],
  },
] as const satisfies readonly ComponentContract[]
