/** A model folder as its family's facts see it. */
import type { ComponentName } from '../families/index.ts'
import type { ModelView } from '../families/model-view.ts'
import type { ModelFolder } from './folder.ts'
import type { OnnxHeader } from './onnx-header.ts'

/** @param headers of the .onnx files that have been read */
export function viewOf(
  { components, modelIndex, vae }: ModelFolder,
  headers: ReadonlyMap<ComponentName, OnnxHeader> = new Map(),
): ModelView {
  const byName = new Map<string, ModelFolder['components'][ComponentName]>(Object.entries(components))
  const headerOf = new Map<string, OnnxHeader>(headers)
  return {
    modelIndex,
    has: (component) => byName.get(component) !== undefined,
    config: (component, key) => byName.get(component)?.config[key],
    input: (component, name, axis) => dimension(headerOf.get(component)?.inputs, name, axis),
    output: (component, name, axis) => dimension(headerOf.get(component)?.outputs, name, axis),
    vaeScale: vae.scale,
  }
}

function dimension(values: OnnxHeader['inputs'] | undefined, name: string, axis: number): number | undefined {
  const dim = values?.find((value) => value.name === name)?.dims[axis]
  return typeof dim === 'number' ? dim : undefined
}
