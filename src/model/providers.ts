/** Which execution provider runs the model: asked for by name and then exactly that one, or the best that works. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { env, InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'
import { PregenError } from '../errors.ts'
import { findOnnxruntimeNode } from './onnxruntime-node.ts'
import { reasonOf } from './provider-words.ts'

// What ONNX Runtime would print is in the errors that it throws, or found out here.
env.logLevel = 'fatal'

/**
 * The smallest model worth running: `y = x + x` for a float32 vector (IR 7, opset 14), as `onnx.helper` writes it.
 * Providers are tried on it.
 */
const DOUBLING_MODEL = new Uint8Array(
  Buffer.from(
    'CAcSADo3Cg4KAXgKAXgSAXkiA0FkZBIBcFoQCgF4EgsKCQgBEgUKAxIBbmIQCgF5EgsKCQgBEgUKAxIBbkIECgAQDg==',
    'base64',
  ),
)

export const PROVIDER_NAMES = ['cuda', 'webgpu', 'dml', 'coreml', 'cpu'] as const
export type ProviderName = (typeof PROVIDER_NAMES)[number]
export type RequestedProvider = ProviderName | 'auto'

/** A provider that has run a model in this process. */
export interface ResolvedProvider {
  readonly name: ProviderName
  /** Which of several devices; CUDA and DirectML only, 0 otherwise. */
  readonly deviceId: number
  /** Why this one: `asked for`, or what `auto` found missing in the better ones. */
  readonly reason: string
}

export interface ChosenProvider extends ResolvedProvider {
  /** Better ones that `auto` found not to work here. */
  readonly passedOver: readonly PassedOver[]
}

export interface PassedOver {
  readonly provider: ProviderName
  readonly problem: string
  readonly help: string
}

/** What was found out about a provider before ONNX Runtime is asked. */
export interface KnownProvider {
  readonly problem: { readonly problem: string; readonly help: string } | null
  /** Its library, where it is one of its own. */
  readonly library: string | null
}

export type KnownProviders = Readonly<Partial<Record<ProviderName, KnownProvider>>>

/** What a provider's absence means, and how to get it. */
export interface ProviderStatus {
  readonly name: ProviderName
  /** Whether a small model ran on it. */
  readonly works: boolean
  /** null when it works. */
  readonly problem: string | null
  readonly help: string | null
}

/**
 * The providers that `auto` tries, best first. WebGPU and CoreML are left to those who ask: the first may stand on a
 * software adapter slower than the CPU, the second computes in half precision, which changes pictures.
 */
const AUTO_ORDER: readonly ProviderName[] = ['cuda', 'dml', 'cpu']

const HELP: Record<ProviderName, string> = {
  cuda: 'CUDA needs Linux x64 and an NVIDIA driver; pregen providers install cuda fetches the rest (docs/models.md).',
  webgpu:
    'WebGPU needs a graphics driver: Vulkan on Linux x64 (libvulkan1 and the ICD of the card), Direct3D 12 on Windows, ' +
    'Metal on macOS.',
  dml: 'DirectML exists on Windows only.',
  coreml: 'CoreML exists on macOS only.',
  cpu: 'onnxruntime-node has no build for this platform: see its README for the platforms it supports.',
}

/** Names that this build of ONNX Runtime was compiled with; a name that is absent would be dropped without a word. */
function compiledProviders(): ReadonlySet<string> {
  return new Set(listSupportedBackends().map((backend) => backend.name))
}

/** The session options' entry for a provider. */
export function executionProvider({
  name,
  deviceId,
}: Pick<ResolvedProvider, 'name' | 'deviceId'>): InferenceSession.ExecutionProviderConfig {
  return name === 'cuda' || name === 'dml' ? { name, deviceId } : name
}

/**
 * Tries a provider on a model of one node.
 * @param deviceId counts from 0
 */
export async function probeProvider(
  name: ProviderName,
  deviceId = 0,
  known: KnownProviders = {},
): Promise<ProviderStatus> {
  const found = known[name] ?? lookFor(name)
  if (found.problem !== null) return { name, works: false, ...found.problem }
  const problem = await runProblem(name, deviceId, found.library)
  return { name, works: problem === null, problem, help: problem === null ? null : HELP[name] }
}

/**
 * The provider that a run will use.
 * @throws PregenError E_PROVIDER_UNAVAILABLE when the one asked for does not work: there is no silent fallback
 */
export async function resolveProvider(
  requested: RequestedProvider,
  deviceId = 0,
  known: KnownProviders = {},
): Promise<ChosenProvider> {
  if (requested !== 'auto') {
    const { works, problem, help } = await probeProvider(requested, deviceId, known)
    if (works) return { name: requested, deviceId, reason: 'asked for', passedOver: [] }
    const message = `Provider "${requested}" does not work here: ${problem}.`
    const wayOut = requested === 'cpu' ? '' : ' Or take --provider auto or cpu.'
    throw new PregenError('E_PROVIDER_UNAVAILABLE', message, {
      help: `${help ?? HELP[requested]}${wayOut}`,
    })
  }
  const passedOver: PassedOver[] = []
  for (const name of AUTO_ORDER) {
    const own = name === 'cpu' ? 0 : deviceId
    const { works, problem, help } = await probeProvider(name, own, known)
    if (works) {
      const missing = passedOver.map((other) => `${other.provider}: ${other.problem}`)
      return { name, deviceId: own, reason: missing.join('; ') || 'the best there is', passedOver }
    }
    // Of what this system never has there is nothing to tell.
    if (compiledProviders().has(name)) {
      passedOver.push({ provider: name, problem: problem ?? '', help: help ?? HELP[name] })
    }
  }
  const missing = passedOver.map(({ provider, problem }) => `${provider}: ${problem}`)
  throw new PregenError('E_PROVIDER_UNAVAILABLE', `No provider works here: ${missing.join('; ')}.`, {
    help: HELP.cpu,
  })
}

/** What can be found without loading a provider. */
function lookFor(name: ProviderName): KnownProvider {
  const absent = (problem: string) => ({ library: null, problem: { problem, help: HELP[name] } })
  if (!compiledProviders().has(name)) {
    return absent(`this build of ONNX Runtime (${process.platform}-${process.arch}) has no ${name}`)
  }
  if (name !== 'cuda') return { library: null, problem: null }
  const file =
    process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so'
  const library = join(findOnnxruntimeNode().runtimeFolder, file)
  return existsSync(library) ? { library, problem: null } : absent(`${file} is not installed`)
}

async function runProblem(
  name: ProviderName,
  deviceId: number,
  library: string | null,
): Promise<string | null> {
  try {
    const isRight = (await double(DOUBLING_MODEL, { name, deviceId }, Float32Array.of(1, 2, 3))) === 6
    return isRight ? null : 'it gives wrong results'
  } catch (thrown) {
    return reasonOf(thrown, library)
  }
}

/** Runs the smallest model. @returns its third number */
async function double(
  model: Uint8Array,
  place: Pick<ResolvedProvider, 'name' | 'deviceId'>,
  x: Float32Array | Uint16Array,
): Promise<number> {
  const options = { executionProviders: [executionProvider(place)], logSeverityLevel: 4 } as const
  const session = await InferenceSession.create(model, options)
  try {
    const tensor = x instanceof Uint16Array ? new Tensor('float16', x, [3]) : new Tensor('float32', x, [3])
    const { y } = await session.run({ x: tensor })
    return Number(y?.data[2])
  } finally {
    await session.release()
  }
}

/** Element types of the smallest model's two values, in onnx.proto3's numbers. */
const FLOAT16 = 10
const HALF_MODEL = DOUBLING_MODEL.with(35, FLOAT16).with(53, FLOAT16)
/** 1, 2 and 3. */
const HALVES = Uint16Array.of(0x3c00, 0x4000, 0x4200)

/**
 * What a provider that works cannot compute: WebGPU has half precision only where the card's shaders do.
 * @returns why half precision does not run, or null where it does
 */
export async function halfProblem(
  provider: Pick<ResolvedProvider, 'name' | 'deviceId'>,
): Promise<string | null> {
  if (provider.name !== 'webgpu') return null
  try {
    await double(HALF_MODEL, provider, HALVES)
    return null
  } catch (thrown) {
    return reasonOf(thrown, null)
  }
}
