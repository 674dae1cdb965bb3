/** Half precision on a provider that may not have it: told before a weight is read. */
import { existsSync } from 'node:fs'
import { PregenError } from '../errors.ts'
import type { ModelFolder } from './folder.ts'
import { readOnnxHeader } from './onnx-header.ts'
import { halfProblem, type ResolvedProvider } from './providers.ts'

/** @throws PregenError `E_PROVIDER_NO_HALF` */
export async function checkHalves(
  { components }: Pick<ModelFolder, 'components'>,
  provider: ResolvedProvider,
): Promise<void> {
  // The only one that works and may lack it.
  if (provider.name !== 'webgpu') return
  const half = Object.values(components).find(
    ({ modelPath }) => existsSync(modelPath) && readOnnxHeader(modelPath).weightTypes.includes('float16'),
  )
  if (half === undefined || (await halfProblem(provider)) === null) return
  const message = `${provider.name} on this card computes nothing in half precision, and the ${half.name} is fp16.`
  throw new PregenError('E_PROVIDER_NO_HALF', message, {
    help: 'Use an fp32 export of the model, or another provider (pregen doctor lists those that work).',
    location: { file: half.modelPath },
  })
}
