/** A model's tiny preview decoder, checked like the rest; what is wrong with it costs the previews that need it, not the run. */
import { dirname, join } from 'node:path'
import { PregenError, PregenErrors } from '../errors.ts'
import { type ModelFolder, previewDecoderRoot } from './folder.ts'
import { readOptionalJsonFile } from './json-file.ts'
import { checkModelFile } from './model-file.ts'
import type { OnnxHeader } from './onnx-header.ts'

/** Why the decoder cannot be used; null for one that can, and where the model has none. */
export function previewDecoderFault(folder: ModelFolder): PregenError | null {
  const { previewDecoder: path } = folder
  if (path === null) return null
  const root = previewDecoderRoot(folder, path)
  const { header, faults } = checkModelFile(path, root)
  if (faults[0] !== undefined) return faults[0]
  try {
    readOptionalJsonFile(join(dirname(path), 'config.json'), root)
  } catch (thrown) {
    if (thrown instanceof PregenErrors) return thrown.errors[0] ?? null
    if (thrown instanceof PregenError) return thrown
    throw thrown
  }
  return header === null ? null : interfaceFault(path, header, folder.vae.latentChannels)
}

/**
 * It takes latents [1, channels, h, w] and gives pictures [1, 3, H, W]; one that streams [1, channels, frames, h, w] and `past.i`, and
 * gives [1, 3, frames, H, W] and `present.i`. A graph may leave sizes open.
 */
function interfaceFault(path: string, { inputs, outputs }: OnnxHeader, channels: number): PregenError | null {
  const [latents, picture] = [inputs[0], outputs[0]]
  const memories = (values: OnnxHeader['inputs'], word: string) =>
    values.filter(({ name }) => name.startsWith(`${word}.`)).length
  const [taken, given] = [memories(inputs, 'past'), memories(outputs, 'present')]
  // A decoder of videos that streams has a time axis, and takes what it gave.
  const rank = taken > 0 ? 5 : 4
  const fits = (dims: readonly (number | string)[] | undefined, wanted: number): boolean =>
    dims !== undefined &&
    (dims.length === 0 || (dims.length === rank && (typeof dims[1] === 'string' || dims[1] === wanted)))
  if (
    inputs.length === 1 + taken &&
    outputs.length === 1 + given &&
    taken === given &&
    fits(latents?.dims, channels) &&
    fits(picture?.dims, 3)
  ) {
    return null
  }
  return new PregenError(
    'E_MODEL_INTERFACE',
    `This is no preview decoder for latents of ${channels} channels: one input of that many and one output of 3 were expected.`,
    {
      help: 'Export the tiny autoencoder that belongs to this model (docs/previews.md).',
      location: { file: path },
    },
  )
}
