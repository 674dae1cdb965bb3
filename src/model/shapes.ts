/** Whether the components of a folder fit each other: widths of texts, channels of latents. */
import { PregenError } from '../errors.ts'
import { type ComponentName, familyOf } from '../families/index.ts'
import type { ModelFolder } from './folder.ts'
import type { OnnxHeader } from './onnx-header.ts'
import { viewOf } from './view.ts'

export function shapeFaults(
  folder: ModelFolder,
  headers: ReadonlyMap<ComponentName, OnnxHeader>,
): PregenError[] {
  const agreements = familyOf(folder.family).agreements(viewOf(folder, headers))
  return agreements.flatMap(({ what, wanted, wantedBy, given, givenBy, atMost = false }) => {
    if (wanted === undefined || given === undefined) return []
    if (atMost ? given <= wanted : given === wanted) return []
    const component = Object.values(folder.components).find(({ name }) => name === wantedBy)
    return [
      new PregenError(
        'E_MODEL_SHAPES',
        `${wantedBy} takes ${what} of ${wanted} channels; ${givenBy} gives ${given}.`,
        {
          help: 'These parts come from different models. Take all of them from one export.',
          location: { file: component?.modelPath ?? folder.path },
        },
      ),
    ]
  })
}
