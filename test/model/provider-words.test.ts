import { describe, expect, it } from 'vitest'
import { reasonOf } from '../../src/model/provider-words.ts'

const PLACE = '/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:129 std::conditional_t'

describe('why a provider does not run', () => {
  it.each<[string, string]>([
    [
      'Failed to load library /x/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: No such file or directory\n',
      'libcublasLt.so.13 is missing',
    ],
    [
      `${PLACE} [with ERRTYPE = cudaError] CUDA failure 35: CUDA driver version is insufficient ; GPU=0 ; hostname=h`,
      'the NVIDIA driver is missing, or too old for this CUDA',
    ],
    [`${PLACE} CUDA failure 999: unknown error ; GPU=0`, 'CUDA says "unknown error"'],
    [
      '/onnxruntime_src/x.cc:136 Initialize(const C&)::<lambda()> r.status == Status::Success was false. Failed to get a WebGPU adapter: No supported adapters\n',
      'Failed to get a WebGPU adapter: No supported adapters',
    ],
    ['OrtSessionOptions…: Failed to load shared library', 'its library does not load'],
    [
      `Invalid argument: ${'long '.repeat(100)}\nmore`,
      `${`Invalid argument: ${'long '.repeat(100)}`.slice(0, 160)}…`,
    ],
  ])('is one line: %#', (message, line) => {
    expect(reasonOf(new Error(message), null)).toBe(line)
  })

  it('is asked of the loader where ONNX Runtime keeps it to itself', () => {
    const silent = new Error('Failed to load shared library')
    expect(reasonOf(silent, '/no/such/libonnxruntime_providers_cuda.so')).toBe(
      process.platform === 'linux'
        ? 'libonnxruntime_providers_cuda.so is missing'
        : 'its library does not load',
    )
  })
})
