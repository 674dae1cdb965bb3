/** One loaded ONNX file: typed inputs written in place, outputs read as float32, time inside `session.run` counted. */
import { availableParallelism } from 'node:os'
import { InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node'
import { freeArray } from '../tensor/buffers.ts'
import { createTensor, type Tensor } from '../tensor/tensor.ts'
import { type CarriedValues, carriedOutputs, createCarried, feedsOf } from './carried-values.ts'
import { type MappedModel, mapWeights } from './mapped-weights.ts'
import { type OutputShapes, requireShapes } from './output-shapes.ts'
import { ProtobufError } from './protobuf-reader.ts'
import { executionProvider, type ProviderName, type ResolvedProvider } from './providers.ts'
import { loadFailure, outOfMemory, runFailure } from './session-errors.ts'
import { createInput, type ModelInput, readOutput, type ValueInfo } from './session-values.ts'

/** Adds up what a run's sessions cost. One object is shared by all of them. */
export interface RunMeter {
  /** Milliseconds inside `session.run`. */
  runMs: number
  runs: number
  /** Milliseconds spent on loading models. */
  loadMs: number
}

export function createRunMeter(): RunMeter {
  return { runMs: 0, runs: 0, loadMs: 0 }
}

export interface ModelSessionOptions {
  readonly provider: ResolvedProvider
  /** Threads of the CPU provider; undefined leaves the choice to ONNX Runtime. */
  readonly threads?: number | undefined
  readonly meter: RunMeter
  /** What messages call it, such as `unet`. */
  readonly label: string
  /**
   * Whether the CPU's convolutions work on channels in blocks of 16, as ONNX Runtime has it at its highest level; default
   * true. Layers of fewer channels are padded: four channels take four times the memory.
   */
  readonly blockedChannels?: boolean | undefined
}

export interface ModelSession {
  readonly label: string
  readonly provider: ProviderName
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** What the model says of an input, or null when it has none of this name. */
  input(name: string): ValueInfo | null
  hasOutput(name: string): boolean
  /**
   * A buffer for an input in the type that the model wants, to be written and fed as often as needed.
   * @throws RangeError when the model has no such input
   */
  createInput(name: string, dims: readonly number[]): ModelInput
  /**
   * Runs the model. The outputs' data are valid until the session’s next run or its end, which frees them.
   * @param outputs names of the outputs wanted
   * @param shapes what they must have, null where an axis is free: compared with what the model declares before it runs,
   *   and with what it gave before anything is copied
   * @throws PregenError E_GPU_OUT_OF_MEMORY, E_OUT_OF_MEMORY, E_INFERENCE_FAILED, E_OUTPUT_SHAPE
   */
  run<const Name extends string>(
    inputs: readonly ModelInput[],
    outputs: readonly Name[],
    shapes?: OutputShapes,
  ): Promise<Record<Name, Tensor>>
  /**
   * As `run`, of a graph that streams: what it carries goes from call to call as it is, from one graph to another too.
   * @param past what the last call carried, which is freed; null at the first
   */
  stream(call: StreamCall): Promise<{ readonly output: Tensor; readonly carried: CarriedValues }>
  /** Frees what the last run gave, for a caller that needs it no longer and has large things to do. */
  freeOutputs(): void
  dispose(): Promise<void>
}

export interface StreamCall {
  readonly inputs: readonly ModelInput[]
  readonly output: string
  readonly shape: readonly (number | null)[]
  readonly past: CarriedValues | null
}

/**
 * @param path the .onnx file; external data beside it is found by ONNX Runtime
 * @throws PregenError E_GPU_OUT_OF_MEMORY, E_OUT_OF_MEMORY, E_MODEL_LOAD_FAILED
 */
export async function createModelSession(path: string, options: ModelSessionOptions): Promise<ModelSession> {
  const { provider, meter, label } = options
  const started = performance.now()
  let session: InferenceSession
  try {
    const mapped = mapWhereItHelps(path, provider)
    session =
      mapped === null
        ? await InferenceSession.create(path, sessionOptions(options))
        : await InferenceSession.create(mapped.model, sessionOptions(options, mapped.folder))
  } catch (thrown) {
    throw outOfMemory(thrown, label, provider, 'while loading') ?? loadFailure(thrown, path, label)
  }
  meter.loadMs += performance.now() - started

  const inputs = session.inputMetadata.map(valueInfo)
  const outputs = session.outputMetadata.map(valueInfo)
  const scratch = new Map<string, Float32Array>()
  let handedOut: ArrayBufferView[] = []
  const freeOutputs = () => {
    for (const array of handedOut) freeArray(array)
    handedOut = []
  }

  const evaluate = async (
    feeds: Record<string, OrtTensor>,
    names: readonly string[],
    shapes: OutputShapes,
  ): Promise<InferenceSession.ReturnType> => {
    requireShapes(label, shapes, (name) => outputs.find((value) => value.name === name)?.dims)
    // ONNX Runtime makes a new buffer for every output, 12 MiB for a picture of 1024 × 1024.
    freeOutputs()
    const began = performance.now()
    let results: InferenceSession.ReturnType
    try {
      results = await session.run(feeds, names)
    } catch (thrown) {
      throw outOfMemory(thrown, label, provider, 'while running') ?? runFailure(thrown, label)
    } finally {
      meter.runMs += performance.now() - began
      meter.runs++
    }
    requireShapes(label, shapes, (name) => results[name]?.dims)
    return results
  }
  const readResult = (name: string, result: OrtTensor): Tensor => {
    const read = createTensor(readOutput(name, result, scratch), result.dims)
    if (ArrayBuffer.isView(result.data)) handedOut.push(result.data)
    return read
  }

  return {
    label,
    provider: provider.name,
    inputs,
    outputs,
    input: (name) => inputs.find((value) => value.name === name) ?? null,
    hasOutput: (name) => outputs.some((value) => value.name === name),
    createInput(name, dims) {
      const info = inputs.find((value) => value.name === name)
      if (info === undefined) throw new RangeError(`${label} has no input "${name}"`)
      return createInput(info, dims)
    },
    async run(feeds, names, shapes = {}) {
      const results = await evaluate(tensorsOf(feeds), names, shapes)
      const read: Partial<Record<(typeof names)[number], Tensor>> = {}
      for (const name of names) read[name] = readResult(name, results[name]!)
      return read as Record<(typeof names)[number], Tensor>
    },
    async stream({ inputs: feeds, output, shape, past }) {
      const carried = carriedOutputs(outputs)
      const tensors = { ...tensorsOf(feeds), ...(past === null ? {} : feedsOf(past)) }
      const results = await evaluate(tensors, [output, ...carried], { [output]: shape })
      past?.free()
      const values = createCarried(carried.map((name) => results[name]!))
      return { output: readResult(output, results[output]!), carried: values }
    },
    freeOutputs,
    async dispose() {
      freeOutputs()
      scratch.clear()
      await session.release()
    },
  }
}

/**
 * Only where it was found to save memory: elsewhere convolutions keep their weights' layout, or the heap gives back what
 * is freed. null: ONNX Runtime loads the file by itself.
 */
function mapWhereItHelps(path: string, { name }: ResolvedProvider): MappedModel | null {
  if (name !== 'cpu' || process.platform !== 'linux' || process.arch !== 'x64') return null
  try {
    return mapWeights(path)
  } catch (thrown) {
    // ONNX Runtime says what is wrong with a file that is no model.
    if (thrown instanceof ProtobufError) return null
    throw thrown
  }
}

/** @param weightsFolder of a model that is loaded from bytes: where its references lead */
function sessionOptions(
  { provider, threads, blockedChannels = true }: ModelSessionOptions,
  weightsFolder?: string,
): InferenceSession.SessionOptions {
  const session = {
    // On one or two cores, threads that spin while they wait take the time of those that encode previews: a small UNet
    // ran in 1.7 ms without and 2.5 ms with spinning on two busy cores.
    ...(availableParallelism() <= 2 ? { intra_op: { allow_spinning: '0' } } : {}),
    ...(weightsFolder === undefined ? {} : { model_external_initializers_file_folder_path: weightsFolder }),
  }
  return {
    executionProviders: [executionProvider(provider)],
    graphOptimizationLevel: blockedChannels ? 'all' : 'extended',
    // Sizes differ from unit to unit: a memory plan per shape would hold a second copy of all activations.
    enableMemPattern: false,
    // What ONNX Runtime would print to stderr is in the error that it throws.
    logSeverityLevel: 4,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(Object.keys(session).length === 0 ? {} : { extra: { session } }),
  }
}

function tensorsOf(feeds: readonly ModelInput[]): Record<string, OrtTensor> {
  return Object.fromEntries(feeds.map(({ name, tensor }) => [name, tensor]))
}

function valueInfo(value: InferenceSession.ValueMetadata): ValueInfo {
  return value.isTensor
    ? { name: value.name, type: value.type, dims: value.shape }
    : { name: value.name, type: 'not a tensor', dims: [] }
}
