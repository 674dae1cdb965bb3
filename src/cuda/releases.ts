/** What a release of ONNX Runtime's CUDA provider needs of the machine. */

/** The libraries that ONNX Runtime loads at run time, beside its own. */
export const PROVIDER_LIBRARIES = ['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so']

export interface CudaNeeds {
  /** CUDA's major version that the provider is built for. */
  readonly major: number
  /** Oldest driver for Linux, as `nvidia-smi` prints it (CUDA's release notes, table "minimum required driver"). */
  readonly minDriver: string
  /** Oldest compute capability that CUDA's libraries of this major still serve. */
  readonly minComputeCapability: string
  /** Shared libraries that the provider names or opens, and the wheel of PyPI that brings each. */
  readonly libraries: Readonly<Record<string, string>>
}

/** A row a major version of CUDA. */
const NEEDS: readonly CudaNeeds[] = [
  {
    major: 12,
    minDriver: '525.60.13',
    minComputeCapability: '5.0',
    libraries: {
      'libcublasLt.so.12': 'nvidia-cublas-cu12',
      'libcublas.so.12': 'nvidia-cublas-cu12',
      'libcurand.so.10': 'nvidia-curand-cu12',
      'libcufft.so.11': 'nvidia-cufft-cu12',
      'libcudart.so.12': 'nvidia-cuda-runtime-cu12',
      'libnvrtc.so.12': 'nvidia-cuda-nvrtc-cu12',
      'libcudnn.so.9': 'nvidia-cudnn-cu12',
    },
  },
  {
    major: 13,
    minDriver: '580.65.06',
    minComputeCapability: '7.5',
    libraries: {
      'libcublasLt.so.13': 'nvidia-cublas',
      'libcublas.so.13': 'nvidia-cublas',
      'libcurand.so.10': 'nvidia-curand',
      'libcudart.so.13': 'nvidia-cuda-runtime',
      'libnvrtc.so.13': 'nvidia-cuda-nvrtc',
      'libcudnn.so.9': 'nvidia-cudnn-cu13',
    },
  },
]

/** The needs of a major version of CUDA, or undefined for one that is not known. */
export function needsOfCuda(major: number): CudaNeeds | undefined {
  return NEEDS.find((needs) => needs.major === major)
}

/**
 * The major version of CUDA that PyPI's onnxruntime-gpu of a release is built for: 12 up to 1.26, 13 from 1.27 on.
 * The wheel itself says it too, and is compared once it is there.
 */
export function cudaMajorOf(onnxruntimeVersion: string): number {
  return compareVersions(onnxruntimeVersion, '1.27.0') < 0 ? 12 : 13
}

/** Compares dotted numbers; a part that is missing counts as 0. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number))
  for (let i = 0; i < Math.max(a!.length, b!.length); i++) {
    const difference = (a![i] ?? 0) - (b![i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
