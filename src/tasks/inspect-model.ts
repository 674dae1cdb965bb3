/** What `pregen models inspect` and `pregen doctor` tell of a model folder. */
import { checkModelFolder } from '../model/check.ts'
import { modelFacts } from '../model/facts.ts'
import type { HashOptions } from '../model/file-hash.ts'
import { readModelFolder } from '../model/folder.ts'
import { findUnfused, type Unfused } from '../model/fusion.ts'
import { storedBytes } from '../model/memory-facts.ts'
import type { ModelFacts } from '../plan/model-facts.ts'

export interface ComponentReport {
  readonly name: string
  readonly opset: number
  /** With the data files that it names. */
  readonly sizeBytes: number
  /** Element types of its weights. */
  readonly dtypes: readonly string[]
  /** `sample[B,4,h,w]` */
  readonly inputs: readonly string[]
}

export interface ModelReport {
  readonly path: string
  readonly className: string
  readonly facts: ModelFacts
  /** Preview methods that it can be asked for. */
  readonly previews: readonly string[]
  readonly components: readonly ComponentReport[]
  /** Why it is slower on CUDA than it could be; null: it is not. */
  readonly unfused: Unfused | null
}

interface InspectOptions extends HashOptions {
  /** Such as `fp16`, where the folder has files of several precisions. */
  readonly variant?: string | undefined
}

/** @throws PregenErrors with every fault of the folder */
export async function inspectModel(path: string, options: InspectOptions = {}): Promise<ModelReport> {
  const folder = readModelFolder(path, { variant: options.variant })
  const checked = await checkModelFolder(folder, options)
  const facts = await modelFacts(folder, options)
  const components = checked.map(
    ({ name, header }): ComponentReport => ({
      name,
      opset: header.opset,
      sizeBytes: storedBytes(folder.components[name]?.modelPath ?? '', header),
      dtypes: header.weightTypes,
      inputs: header.inputs.map((input) => `${input.name}[${input.dims.join(',')}]`),
    }),
  )
  const previews = [
    ...(facts.hasLatentRgb ? ['latent2rgb'] : []),
    ...(facts.hasPreviewDecoder ? ['taesd'] : []),
    'full',
  ]
  const unfused = findUnfused(folder, checked)
  return { path: folder.path, className: folder.className, facts, previews, components, unfused }
}
