/** Every fault of a model folder at once, found before anything loads. */
import { closeSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { PregenError, PregenErrors } from '../errors.ts'
import { type ComponentContract, OUT_LAYERS, PENULTIMATE } from '../families/contract.ts'
import { type ComponentName, familyOf, type TokenizerName } from '../families/index.ts'
import { openInside, readUpTo } from '../model-files/open.ts'
import { brief, briefList, firstOf } from './brief.ts'
import { checksumFaults } from './checksums.ts'
import { AbsentWeights } from './data-files.ts'
import type { HashOptions } from './file-hash.ts'
import { fixedShapeFaults } from './fixed-shapes.ts'
import { type ModelComponent, type ModelFolder, TOKENIZER_FILES } from './folder.ts'
import { graphSizeFaults } from './graph-sizes.ts'
import { hiddenLayers, outLayers } from './hidden-layers.ts'
import { impostorFault, impostorOf } from './impostor.ts'
import { checkModelFile } from './model-file.ts'
import type { OnnxHeader } from './onnx-header.ts'
import type { ProviderName } from './providers.ts'
import { shapeFaults } from './shapes.ts'
import { streamingFaults } from './streaming.ts'

export interface CheckOptions extends HashOptions {
  /** The provider that will run the model; absent: what no provider can run is still a fault. */
  readonly provider?: ProviderName | undefined
  /** Told of weights that are not there, which then are no fault: for who loads nothing. */
  readonly onAbsent?: ((weights: AbsentWeights) => void) | undefined
}

export interface CheckedComponent {
  readonly name: ComponentName
  readonly header: OnnxHeader
}

/**
 * @returns what the .onnx files say, for reports
 * @throws PregenErrors with everything that is wrong
 */
export async function checkModelFolder(
  folder: ModelFolder,
  options: CheckOptions = {},
): Promise<readonly CheckedComponent[]> {
  const faults: PregenError[] = []
  const absent: AbsentWeights[] = []
  const checked: CheckedComponent[] = []
  for (const contract of familyOf(folder.family).contract) {
    const component = folder.components[contract.component]
    if (component === undefined) {
      if (isNeeded(folder, contract)) faults.push(missingComponent(folder, contract.component))
      continue
    }
    const { header, faults: found } = checkModelFile(component.modelPath, folder.path)
    for (const fault of found) {
      if (options.onAbsent !== undefined && fault instanceof AbsentWeights) absent.push(fault)
      else faults.push(fault)
    }
    if ('tokenizer' in contract) faults.push(...tokenizerFaults(folder, contract.tokenizer))
    if (header === null) continue
    checked.push({ name: contract.component, header })
    faults.push(
      ...interfaceFaults(component, contract, header, folder.modelIndex),
      ...typeFaults(component, header, options.provider),
    )
  }
  faults.push(...shapeFaults(folder, new Map(checked.map(({ name, header }) => [name, header]))))
  faults.push(...streamingFaults(folder, new Map(checked.map(({ name, header }) => [name, header]))))
  if (faults.length === 0) {
    const headers = new Map(checked.map(({ name, header }) => [name, header]))
    faults.push(...graphSizeFaults(folder, headers), ...fixedShapeFaults(folder, headers))
  }
  faults.push(...strayFaults(folder), ...plainFileFaults(folder))
  // What is not there cannot be held to its sums.
  if (absent.length === 0) faults.push(...(await checksumFaults(folder.path, options)))
  if (faults.length > 0) throw new PregenErrors(faults)
  for (const weights of absent) options.onAbsent?.(weights)
  return checked
}

/** Files that are no part of this pipeline, and are read for the fingerprint. */
function strayFaults(folder: ModelFolder): PregenError[] {
  const parts = new Set<string>(familyOf(folder.family).contract.map(({ component }) => component))
  return Object.values(folder.components)
    .filter(({ name, modelPath }) => !parts.has(name) && existsSync(modelPath))
    .flatMap(({ modelPath }) => checkModelFile(modelPath, folder.path).faults)
}

/** Other files that a run reads: each is a regular one, inside the folder. */
function plainFileFaults({ path }: ModelFolder): PregenError[] {
  return ['preview.json', 'SHA256SUMS'].flatMap((name) => fileFault(join(path, name), path) ?? [])
}

/** What is wrong with a file that is there: a link that leads away, no regular file, or a stand-in. */
function fileFault(file: string, root: string): PregenError | null {
  try {
    const opened = openInside(file, root)
    if (opened === null) return null
    const { descriptor, stats } = opened
    try {
      const head = stats.size === 0 ? new Uint8Array(0) : readUpTo(descriptor, 256, file)
      const kind = impostorOf(head)
      return kind === null ? null : impostorFault(kind, file)
    } finally {
      closeSync(descriptor)
    }
  } catch (thrown) {
    if (thrown instanceof PregenError) return thrown
    throw thrown
  }
}

/** An optional component is needed where model_index.json lists it; the VAE's halves are listed as one `vae`. */
function isNeeded({ modelIndex }: ModelFolder, { component, optional = false }: ComponentContract): boolean {
  if (!optional) return true
  const entry = modelIndex[component]
  return Array.isArray(entry) && entry.some((part) => part !== null)
}

function missingComponent({ path, family }: ModelFolder, name: ComponentName): PregenError {
  return new PregenError('E_MODEL_COMPONENT_MISSING', `This ${family} model has no ${name}.`, {
    help: 'Export or download the whole pipeline; docs/models.md shows which folders a family has.',
    location: { file: join(path, name) },
  })
}

function tokenizerFaults({ path, tokenizers }: ModelFolder, name: TokenizerName): PregenError[] {
  const folder = tokenizers[name]
  const has = (file: string): boolean => folder !== undefined && existsSync(join(folder, file))
  if (folder === undefined || !(has('tokenizer.json') || (has('vocab.json') && has('merges.txt')))) {
    return [
      new PregenError('E_MODEL_TOKENIZER_MISSING', `The model has no usable ${name}.`, {
        help: 'It needs a tokenizer.json, or a vocab.json with a merges.txt.',
        location: { file: folder ?? join(path, name) },
      }),
    ]
  }
  return TOKENIZER_FILES.filter(has).flatMap((file) => fileFault(join(folder, file), path) ?? [])
}

/** Components whose one output is what they are for. */
const NAMELESS: ReadonlySet<ComponentName> = new Set<ComponentName>(['unet', 'transformer', 'vae_decoder'])

function interfaceFaults(
  component: ModelComponent,
  contract: ComponentContract,
  header: OnnxHeader,
  modelIndex: ModelFolder['modelIndex'],
): PregenError[] {
  const layers = hiddenLayers(
    component.config,
    header.outputs.map(({ name }) => name),
  )
  const penultimate = layers === null ? PENULTIMATE : `hidden_states.${layers - 1}`
  const inputs = header.inputs.map(({ name }) => name)
  const outputs = header.outputs.map(({ name }) => name)
  const missing = [
    ...contract.inputs.filter((name) => !inputs.includes(name)).map((name) => `input ${name}`),
    ...contract.outputs
      .flatMap((names) =>
        names.includes(OUT_LAYERS)
          ? outLayers(modelIndex, outputs).map((layer) => [`hidden_states.${layer}`])
          : [names],
      )
      .map((names) => names.map((name) => (name === PENULTIMATE ? penultimate : name)))
      .filter((names) => !names.some((name) => outputs.includes(name)))
      // Where there is one output on both sides, its name does not matter: Olive has names of its own.
      .filter(() => !(NAMELESS.has(component.name) && contract.outputs.length === 1 && outputs.length === 1))
      .map((names) => `output ${names.join(' or ')}`),
  ]
  const known = [...contract.inputs, ...(contract.optionalInputs ?? [])]
  const isCarried = (name: string) => contract.streams === true && /^past\.\d+$/.test(name)
  const unknown = inputs.filter((name) => !known.includes(name) && !isCarried(name))
  if (missing.length === 0 && unknown.length === 0) return []
  const parts = [
    ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
    ...(unknown.length > 0
      ? [`wants ${briefList(unknown.map((name) => `input ${name}`))}, which nothing feeds`]
      : []),
  ]
  return [
    new PregenError('E_MODEL_INTERFACE', `${component.name} ${parts.join(' and ')}.`, {
      help:
        `It has inputs ${briefList(inputs) || 'none'}; outputs ${briefList(outputs) || 'none'}. ` +
        'Export it with optimum-cli export onnx, or name the right pipeline in the sheet.',
      location: { file: component.modelPath },
    }),
  ]
}

const FEEDABLE = new Set(['float32', 'float16', 'float64', 'int64', 'int32', 'bool'])
const SMALL_FLOATS = ['float8e4m3fn', 'float8e4m3fnuz', 'float8e5m2', 'float8e5m2fnuz', 'float4e2m1']

/** Weights that a provider has no kernels for. */
const UNRUNNABLE: Readonly<Record<ProviderName, readonly string[]>> = {
  cuda: [],
  dml: ['bfloat16', ...SMALL_FLOATS],
  webgpu: ['bfloat16', 'float64', ...SMALL_FLOATS],
  coreml: ['bfloat16', ...SMALL_FLOATS],
  cpu: ['bfloat16', ...SMALL_FLOATS],
}

function typeFaults(
  component: ModelComponent,
  header: OnnxHeader,
  provider: ProviderName | undefined,
): PregenError[] {
  const location = { file: component.modelPath }
  const help = 'Export it as fp32 or fp16 (optimum-cli export onnx --dtype fp16).'
  const unfeedable = [...header.inputs, ...header.outputs].filter(({ type }) => !FEEDABLE.has(type))
  const faults = unfeedable.map(
    ({ name, type }) =>
      new PregenError(
        'E_MODEL_DTYPE',
        `${component.name}: ${brief(name)} is ${type}, which cannot cross into JavaScript.`,
        {
          help,
          location,
        },
      ),
  )
  const unrunnable =
    provider === undefined ? [] : header.weightTypes.filter((type) => UNRUNNABLE[provider].includes(type))
  if (unrunnable.length > 0) {
    const what = `${component.name} has ${unrunnable.join(' and ')} weights, which ${provider} cannot run.`
    faults.push(new PregenError('E_MODEL_DTYPE', what, { help, location }))
  }
  return firstOf(faults, component.modelPath)
}
