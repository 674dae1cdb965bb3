/** What a process needs so that CUDA runs in it, or the one thing that is in CUDA's way. Nothing is loaded or fetched. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type FoundDriver, findDriver } from './driver.ts'
import type { LibrarySearch } from './find-libraries.ts'
import { cudaEnvironment, installedProvider } from './installed.ts'
import { compareVersions, needsOfCuda, PROVIDER_LIBRARIES } from './releases.ts'

export interface CudaProblem {
  /** One line, without a full stop. */
  readonly problem: string
  /** The next command. */
  readonly help: string
}

export interface PreparedCuda {
  /** For LD_LIBRARY_PATH of the process; null: as it is. */
  readonly libraryPath: string | null
  /** The provider's library, which only ONNX Runtime itself can load; null: it is nowhere. */
  readonly library: string | null
  readonly problem: CudaProblem | null
}

export interface PrepareCudaOptions {
  readonly cacheDir: string
  /** Of onnxruntime-node. */
  readonly version: string
  /** The folder of onnxruntime-node's libraries, in which its own install script puts the provider. */
  readonly runtimeFolder: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform?: string | undefined
  readonly driver?: (() => FoundDriver | null) | undefined
  readonly search?: Pick<LibrarySearch, 'systemFolders' | 'readCommand'> | undefined
}

const [PROVIDER_LIBRARY = ''] = PROVIDER_LIBRARIES
const NO_DRIVER: CudaProblem = {
  problem: 'no NVIDIA driver is installed',
  help: 'Where there is a card, install its driver.',
}

export async function prepareCuda(options: PrepareCudaOptions): Promise<PreparedCuda> {
  const { cacheDir, version, runtimeFolder, env } = options
  const { platform = `${process.platform}-${process.arch}`, driver = findDriver, search } = options
  if (platform !== 'linux-x64') {
    const problem = { problem: `onnxruntime-node has no CUDA for ${platform}`, help: OTHER_PROVIDERS }
    return { libraryPath: null, library: null, problem }
  }
  const found = driver()
  const installed = await installedProvider(cacheDir, version)
  if (installed === null) {
    const own = join(runtimeFolder, PROVIDER_LIBRARY)
    if (existsSync(own)) return { libraryPath: null, library: own, problem: found ? null : NO_DRIVER }
    return { libraryPath: null, library: null, problem: found ? NOT_INSTALLED : NO_DRIVER }
  }
  const { libraryPath, missing } = await cudaEnvironment(installed, runtimeFolder, { cacheDir, env, search })
  const problem = driverProblem(found, installed.cudaMajor) ?? missingProblem(missing, installed.cudaMajor)
  return { libraryPath, library: join(installed.folder, PROVIDER_LIBRARY), problem }
}

const OTHER_PROVIDERS = 'On Windows take --provider dml, on a Mac coreml, or webgpu or cpu.'
const NOT_INSTALLED: CudaProblem = {
  problem: "ONNX Runtime's CUDA provider is not installed",
  help: 'Run: pregen providers install cuda',
}

function driverProblem(driver: FoundDriver | null, cudaMajor: number): CudaProblem | null {
  if (driver === null) return NO_DRIVER
  const { minDriver = '0' } = needsOfCuda(cudaMajor) ?? {}
  if (driver.version === null || compareVersions(driver.version, minDriver) >= 0) return null
  return {
    problem: `the NVIDIA driver ${driver.version} is too old: CUDA ${cudaMajor} needs ${minDriver} or newer`,
    help: 'Update the driver of the card.',
  }
}

function missingProblem(missing: readonly string[], cudaMajor: number): CudaProblem | null {
  if (missing.length === 0) return null
  const { libraries = {} } = needsOfCuda(cudaMajor) ?? {}
  const wheels = [...new Set(missing.map((name) => libraries[name] ?? name))]
  return {
    problem: `${missing.join(', ')} of CUDA ${cudaMajor} ${missing.length === 1 ? 'is' : 'are'} nowhere to be found`,
    help: `Run: pregen providers install cuda --with-libraries   or: pip install ${wheels.join(' ')}`,
  }
}
