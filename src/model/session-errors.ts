/** What ONNX Runtime throws, in words that say what to do. */
import { messageOf, PregenError } from '../errors.ts'
import type { ResolvedProvider } from './providers.ts'
import { runtimeCauseOf } from './runtime-words.ts'

const OUT_OF_MEMORY =
  /out of memory|failed to allocate memory|bad_alloc|E_OUTOFMEMORY|CUDA failure 2\b|cudaErrorMemoryAllocation|is smaller than requested bytes/i
const REQUESTED_BYTES = /(?:requested bytes of|buffer of size|allocate) (\d+)/i

export function outOfMemory(
  thrown: unknown,
  label: string,
  provider: ResolvedProvider,
  when: string,
): PregenError | null {
  const message = messageOf(thrown)
  if (!OUT_OF_MEMORY.test(message)) return null
  const bytes = Number(REQUESTED_BYTES.exec(message)?.[1] ?? Number.NaN)
  const size = Number.isFinite(bytes) ? `, asking for ${(bytes / 2 ** 20).toFixed(0)} MiB more` : ''
  const onGpu = provider.name !== 'cpu'
  const where = onGpu ? `${provider.name} device ${provider.deviceId}` : 'this machine'
  return new PregenError(
    onGpu ? 'E_GPU_OUT_OF_MEMORY' : 'E_OUT_OF_MEMORY',
    `${label}: ${where} ran out of memory ${when}${size}.`,
    {
      help:
        'Make the pictures smaller, set batch: 1, use an fp16 export of the model, ' +
        `${onGpu ? 'end other programs on the GPU, or run with --provider cpu' : 'or end other programs'}.`,
      cause: thrown,
      exitCode: 3,
    },
  )
}

export function loadFailure(thrown: unknown, path: string, label: string): PregenError {
  const { what, help } = runtimeCauseOf(messageOf(thrown))
  return new PregenError('E_MODEL_LOAD_FAILED', `${label} does not load: ${ended(what)}`, {
    help:
      help ??
      'pregen models inspect names what is wrong with the folder; a fresh export or download usually mends it.',
    location: { file: path },
    cause: thrown,
  })
}

export function runFailure(thrown: unknown, label: string): PregenError {
  const { what, help } = runtimeCauseOf(messageOf(thrown))
  return new PregenError('E_INFERENCE_FAILED', `${label} failed: ${ended(what)}`, {
    help:
      help ??
      'pregen models inspect checks the folder; another provider (--provider cpu) tells whether it is the model or the machine.',
    cause: thrown,
    exitCode: 3,
  })
}

function ended(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
}
