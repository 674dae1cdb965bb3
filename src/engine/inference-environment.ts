/**
 * What an inference process is started with beside its work: libraries are found by the environment that a process
 * begins with, and a running one cannot change its own.
 */
import { prepareCuda } from '../cuda/prepare.ts'
import { findOnnxruntimeNode } from '../model/onnxruntime-node.ts'
import type { KnownProviders, RequestedProvider } from '../model/providers.ts'

export interface InferenceEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>
  /** What was found out about providers that is not worth a try. */
  readonly known: KnownProviders
}

export interface EnvironmentOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where `providers install` put them; undefined: nothing was installed. */
  readonly cacheDir: string | undefined
  /** Providers that models will be asked to run on; looking for CUDA takes a moment. Default: any. */
  readonly providers?: ReadonlySet<RequestedProvider> | undefined
}

/** Multiplication in 10 bits of mantissa, which CUDA libraries choose by themselves, changes pictures. */
const EXACT_ENV = { NVIDIA_TF32_OVERRIDE: '0' } as const

export async function inferenceEnvironment({
  env,
  cacheDir,
  providers,
}: EnvironmentOptions): Promise<InferenceEnvironment> {
  const exact = { ...env, ...EXACT_ENV }
  const wantsCuda = providers === undefined || providers.has('cuda') || providers.has('auto')
  if (cacheDir === undefined || !wantsCuda) return { env: exact, known: {} }
  const { libraryPath, library, problem } = await prepareCuda({ ...findOnnxruntimeNode(), cacheDir, env })
  return {
    env: libraryPath === null ? exact : { ...exact, LD_LIBRARY_PATH: libraryPath },
    known: { cuda: { library, problem } },
  }
}
