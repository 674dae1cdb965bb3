/** `pregen models optimize`: keeps what ONNX Runtime makes of a model, so that it loads fast from then on. */
import { inferenceEnvironment } from '../engine/inference-environment.ts'
import { optimizeInProcess } from '../engine/optimize.ts'
import { checkModelFolder } from '../model/check.ts'
import { modelFacts } from '../model/facts.ts'
import type { HashOptions } from '../model/file-hash.ts'
import { readModelFolder } from '../model/folder.ts'
import { findUnfused, type Unfused } from '../model/fusion.ts'
import type { OptimizedModel } from '../model/optimize.ts'
import { optimizedRoot } from '../model/optimized.ts'
import type { RequestedProvider } from '../model/providers.ts'

export interface OptimizeModelOptions extends HashOptions {
  readonly cacheDir: string
  readonly provider: RequestedProvider
  /** As `models.<id>.variant` of a sheet. */
  readonly variant?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/** @throws PregenErrors with every fault of the folder; what loading it throws */
export async function optimizeModelFolder(
  path: string,
  options: OptimizeModelOptions,
): Promise<OptimizedModel & { readonly unfused: Unfused | null }> {
  const { cacheDir, provider, variant, env } = options
  const folder = readModelFolder(path, { variant })
  const checked = await checkModelFolder(folder, { cacheDir, onHash: options.onHash })
  const { graphsFingerprint: fingerprint = '' } = await modelFacts(folder, options)
  const environment = await inferenceEnvironment({ env, cacheDir, providers: new Set([provider]) })
  const root = optimizedRoot(cacheDir, fingerprint)
  const optimized = await optimizeInProcess({ path: folder.path, variant, provider, root }, environment)
  return { ...optimized, unfused: findUnfused(folder, checked) }
}
