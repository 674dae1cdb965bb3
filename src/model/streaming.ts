/** Whether the two halves of a graph that streams belong together: one takes what the other gives. */
import { PregenError } from '../errors.ts'
import type { ComponentName } from '../families/index.ts'
import type { ModelFolder } from './folder.ts'
import type { OnnxHeader, OnnxValue } from './onnx-header.ts'

const PAIRS: readonly (readonly [first: ComponentName, next: ComponentName])[] = [
  ['vae_decoder', 'vae_decoder_with_past'],
  ['vae_encoder', 'vae_encoder_with_past'],
]

export function streamingFaults(
  { path, components }: Pick<ModelFolder, 'path' | 'components'>,
  headers: ReadonlyMap<ComponentName, Pick<OnnxHeader, 'inputs' | 'outputs'>>,
): PregenError[] {
  return PAIRS.flatMap(([first, next]) => {
    const [one, other] = [headers.get(first), headers.get(next)]
    if (one === undefined || other === undefined) return []
    const [given, taken, again] = [
      count(one.outputs, 'present'),
      count(other.inputs, 'past'),
      count(other.outputs, 'present'),
    ]
    if (given === taken && again === taken && taken > 0) return []
    const what = `${first} carries ${given} values on; ${next} takes ${taken} and carries on ${again}.`
    return [
      new PregenError('E_MODEL_SHAPES', what, {
        help: 'These parts come from different models. Take all of them from one export.',
        location: { file: components[next]?.modelPath ?? path },
      }),
    ]
  })
}

function count(values: readonly OnnxValue[], word: 'past' | 'present'): number {
  return values.filter(({ name }) => name.startsWith(`${word}.`)).length
}
