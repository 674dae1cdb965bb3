/** Which execution provider runs the model: asked for by name and then exactly that one, or the best that works. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'
import { messageOf, PregenError } from '../errors.ts'

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
  cuda:
    'CUDA needs Linux x64, an NVIDIA driver, CUDA 12 and cuDNN 9, and the provider libraries that the install script ' +
    'of onnxruntime-node downloads: npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12 (docs/models.md). ' +
    'Or take --provider auto or cpu.',
  webgpu:
    'WebGPU needs a graphics driver: Vulkan on Linux x64 (libvulkan1 and the ICD of the card), Direct3D 12 on Windows, ' +
    'Metal on macOS. Or take --provider auto or cpu.',
  dml: 'DirectML exists on Windows only. Take --provider auto or cpu.',
  coreml: 'CoreML exists on macOS only. Take --provider auto or cpu.',
  cpu: 'onnxruntime-node has no build for this platform: see its README for the platforms it supports.',
}

/** Names that this build of ONNX Runtime was compiled with; a name that is absent would be dropped without a word. */
export function compiledProviders(): ReadonlySet<string> {
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
export async function probeProvider(name: ProviderName, deviceId = 0): Promise<ProviderStatus> {
  const problem = absence(name) ?? (await runProblem(name, deviceId))
  return { name, works: problem === null, problem, help: problem === null ? null : HELP[name] }
}

/**
 * The provider that a run will use.
 * @throws PregenError E_PROVIDER_UNAVAILABLE when the one asked for does not work: there is no silent fallback
 */
export async function resolveProvider(requested: RequestedProvider, deviceId = 0): Promise<ResolvedProvider> {
  if (requested !== 'auto') {
    const status = await probeProvider(requested, deviceId)
    if (!status.works) {
      throw new PregenError(
        'E_PROVIDER_UNAVAILABLE',
        `Provider "${requested}" does not work here: ${status.problem}.`,
        {
          help: HELP[requested],
        },
      )
    }
    return { name: requested, deviceId, reason: 'asked for' }
  }
  const missing: string[] = []
  for (const name of AUTO_ORDER) {
    const status = await probeProvider(name, name === 'cpu' ? 0 : deviceId)
    if (status.works) {
      const reason = missing.length === 0 ? 'the best there is' : missing.join('; ')
      return { name, deviceId: name === 'cpu' ? 0 : deviceId, reason }
    }
    missing.push(`${name}: ${status.problem}`)
  }
  throw new PregenError('E_PROVIDER_UNAVAILABLE', `No provider works here: ${missing.join('; ')}.`, {
    help: HELP.cpu,
  })
}

/** Why a provider cannot be there at all, found without loading it (loading would print to stderr), or null. */
function absence(name: ProviderName): string | null {
  if (!compiledProviders().has(name)) {
    return `this build of ONNX Runtime (${process.platform}-${process.arch}) has no ${name}`
  }
  if (name !== 'cuda') return null
  const library =
    process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so'
  return existsSync(join(binaryFolder(), library)) ? null : `${library} is not installed`
}

function binaryFolder(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node')
  return join(dirname(dirname(entry)), 'bin', 'napi-v6', process.platform, process.arch)
}

async function runProblem(name: ProviderName, deviceId: number): Promise<string | null> {
  try {
    const session = await InferenceSession.create(DOUBLING_MODEL, {
      executionProviders: [executionProvider({ name, deviceId })],
      logSeverityLevel: 4,
    })
    try {
      const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, 3), [3]) })
      return y !== undefined && Number(y.data[2]) === 6 ? null : 'it gives wrong results'
    } finally {
      await session.release()
    }
  } catch (thrown) {
    return messageOf(thrown).split('\n', 1)[0]!.trim()
  }
}
