/** The NVIDIA driver as the kernel tells it: read from a file, where asking `nvidia-smi` takes a second. */
import { existsSync, readFileSync } from 'node:fs'
import { errorCode } from '../errors.ts'

export interface FoundDriver {
  /** Such as `580.95.05`; null where the kernel does not say it (WSL). */
  readonly version: string | null
}

export interface DriverPlaces {
  readonly kernel: string
  /** Windows hands its driver to WSL as this library. */
  readonly wsl: string
}

const PLACES: DriverPlaces = {
  kernel: '/proc/driver/nvidia/version',
  wsl: '/usr/lib/wsl/lib/libcuda.so.1',
}

/** null: there is none. */
export function findDriver({ kernel, wsl }: DriverPlaces = PLACES): FoundDriver | null {
  const text = readOrNull(kernel)
  if (text === null) return existsSync(wsl) ? { version: null } : null
  const [line = ''] = text.split('\n', 1)
  return { version: line.split(/\s+/).find((word) => /^\d+(?:\.\d+)+$/.test(word)) ?? null }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return null
    throw error
  }
}
