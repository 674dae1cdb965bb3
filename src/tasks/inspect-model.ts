/** What `pregen models inspect` and `pregen doctor` tell of a model folder. */
import { checkModelFolder } from '../model/check.ts'
import type { AbsentWeights } from '../model/data-files.ts'
import { modelFacts } from '../model/facts.ts'
import type { HashOptions } from '../model/file-hash.ts'
import { readModelFolder } from '../model/folder.ts'
import { findUnfused, type Unfused } from '../model/fusion.ts'
import { storedBytes } from '../model/memory-facts.ts'
import { estimateMemory, type MemoryEstimate, smallestCard } from '../plan/memory.ts'
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
  /** What a picture of its own size takes; null: nothing is known of it. */
  readonly memory: ReportedMemory | null
  /** Weights that are not on this disk: nothing can be drawn before they are. */
  readonly absent: readonly AbsentWeights[]
  /** Why it is slower on CUDA than it could be; null: it is not. */
  readonly unfused: Unfused | null
}

export interface ReportedMemory {
  readonly cpu: MemoryEstimate
  readonly gpu: MemoryEstimate
  /** The smallest graphics card that takes it, in GB; null: none does. */
  readonly cardGb: number | null
}

interface InspectOptions extends HashOptions {
  /** Such as `fp16`, where the folder has files of several precisions. */
  readonly variant?: string | undefined
}

/** @throws PregenErrors with every fault of the folder but weights that are not there */
export async function inspectModel(place: string, options: InspectOptions = {}): Promise<ModelReport> {
  const folder = readModelFolder(place, { variant: options.variant })
  const absent: AbsentWeights[] = []
  const checked = await checkModelFolder(folder, {
    ...options,
    onAbsent: (weights) => void absent.push(weights),
  })
  const facts = await modelFacts(folder, { ...options, absent })
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
  const { path, className } = folder
  const unfused = findUnfused(folder, checked)
  return { path, className, facts, previews, components, memory: memoryOf(facts), absent, unfused }
}

function memoryOf({ memory, defaults: { width, height } }: ModelFacts): ReportedMemory | null {
  if (memory === undefined) return null
  const picture = { width, height, batch: 1, guided: true }
  const [cpu, gpu] = [estimateMemory(memory, picture, 'cpu'), estimateMemory(memory, picture, 'gpu')]
  return { cpu, gpu, cardGb: smallestCard(gpu) }
}
