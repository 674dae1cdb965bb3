/** What a family's facts may ask of a model folder: configurations and the shapes that its .onnx files declare. */
export interface ModelView {
  readonly modelIndex: Readonly<Record<string, unknown>>
  /** Whether the folder has this component. */
  readonly has: (component: string) => boolean
  /** A key of a component's config.json; undefined where either is missing. */
  readonly config: (component: string, key: string) => unknown
  /** The size of an input's axis; undefined where it is symbolic, or the file has not been read. */
  readonly input: (component: string, name: string, axis: number) => number | undefined
  readonly output: (component: string, name: string, axis: number) => number | undefined
  /** Picture size over latent size. */
  readonly vaeScale: number
}

/** A key that holds a number, else undefined. */
export function numberIn(model: ModelView, component: string, key: string): number | undefined {
  const value = model.config(component, key)
  return typeof value === 'number' ? value : undefined
}

/** A UNet of n levels halves its latents n − 1 times, and traced exports cannot make up for an odd size as torch does. */
export function unetSizeMultiple(model: ModelView): number {
  const levels = model.config('unet', 'block_out_channels')
  return model.vaeScale * (Array.isArray(levels) ? 2 ** (levels.length - 1) : 1)
}
