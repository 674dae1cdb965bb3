/** `pregen providers install cuda`: the provider of the very ONNX Runtime that is here, from a package index or a folder. */
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { downloadFile, type Fetch } from '../net/download.ts'
import { proxiedFetch } from '../net/proxied-fetch.ts'
import { findLibraries, type LibrarySearch } from './find-libraries.ts'
import { whileLocked } from './install-lock.ts'
import {
  type InstalledProvider,
  installedProvider,
  librariesFolder,
  providerFolder,
  writeRecord,
} from './installed.ts'
import { type CudaMachine, inspectMachine } from './machine.ts'
import { compareVersions, cudaMajorOf, needsOfCuda } from './releases.ts'
import { commitIn, extractLibraries, extractProvider } from './wheel.ts'
import { DEFAULT_INDEX_URL, findWheel } from './wheel-index.ts'

export interface InstallOptions {
  readonly cacheDir: string
  /** Of onnxruntime-node. */
  readonly version: string
  /** The folder of onnxruntime-node's libraries. */
  readonly runtimeFolder: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** A wheel, or a folder of wheels; without it the index of PIP_INDEX_URL, else PyPI. */
  readonly from?: string | undefined
  /** Fetches the wheels of NVIDIA too, as far as their libraries are not on this machine. */
  readonly withLibraries: boolean
  /** Goes on where no driver or no fitting card is found: for images that are built elsewhere. */
  readonly withoutCard: boolean
  /** Default: through the proxy that the environment names. */
  readonly fetch?: Fetch | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress: (file: string, bytes: number, total: number | undefined) => void
  readonly inspect?: (() => ReturnType<typeof inspectMachine>) | undefined
  readonly platform?: string | undefined
  /** Where else CUDA's libraries are looked for. */
  readonly search?: Pick<LibrarySearch, 'systemFolders' | 'readCommand'> | undefined
}

export interface InstallResult {
  readonly provider: InstalledProvider
  readonly machine: CudaMachine | null
  /** Libraries of CUDA that are still nowhere to be found. */
  readonly missing: readonly string[]
  /** Wheels of PyPI that would bring them. */
  readonly wheels: readonly string[]
}

const PACKAGE = 'onnxruntime-gpu'

/**
 * Everything that can be known to fail is told before a byte is fetched.
 * @throws PregenError `E_PROVIDER_UNSUPPORTED`, `E_PROVIDER_BUSY`, `E_CUDA_DRIVER`, `E_CUDA_CARD`, those of index, download and wheel
 */
export async function installCuda(options: InstallOptions): Promise<InstallResult> {
  const { cacheDir, version, platform = `${process.platform}-${process.arch}` } = options
  if (platform !== 'linux-x64') {
    throw new PregenError(
      'E_PROVIDER_UNSUPPORTED',
      `onnxruntime-node has CUDA on Linux x64 only; this is ${platform}.`,
      {
        help: 'On Windows take --provider dml, on a Mac coreml, or webgpu.',
      },
    )
  }
  const machine = await checkMachine(options, cudaMajorOf(version))
  return await whileLocked(cacheDir, () => installHere(options, machine))
}

async function installHere(options: InstallOptions, machine: CudaMachine | null): Promise<InstallResult> {
  const { cacheDir, version } = options
  const wheels = join(cacheDir, 'wheels')
  const provider = (await installedProvider(cacheDir, version)) ?? (await installProvider(options, wheels))
  const { libraries } = needsOf(provider.cudaMajor)
  const own = librariesFolder(cacheDir, provider.cudaMajor)
  const search = { ...options.search, env: options.env, ownFolders: [own] }
  let { missing } = await findLibraries(Object.keys(libraries), search)
  if (options.withLibraries && missing.length > 0) {
    for (const name of new Set(missing.map((library) => libraries[library]!))) {
      const wheel = await obtainWheel(name, undefined, options, wheels)
      await extractLibraries(wheel.path, own)
      if (wheel.isOurs) await rm(wheel.path)
    }
    missing = (await findLibraries(Object.keys(libraries), search)).missing
  }
  const needed = [...new Set(missing.map((library) => libraries[library]!))]
  return { provider, machine, missing, wheels: needed }
}

async function installProvider(options: InstallOptions, wheels: string): Promise<InstalledProvider> {
  const { cacheDir, version, runtimeFolder } = options
  const wheel = await obtainWheel(PACKAGE, version, options, wheels)
  const root = join(cacheDir, 'providers')
  await mkdir(root, { recursive: true })
  await sweepUnfinished(root)
  const fresh = await mkdtemp(join(root, UNFINISHED))
  try {
    const found = await extractProvider(wheel.path, fresh)
    const runtime = await commitIn(createReadStream(join(runtimeFolder, 'libonnxruntime.so.1')))
    const differs = found.version !== version ? `version ${found.version}, not ${version}` : null
    const otherCommit = found.commit !== runtime ? `commit ${found.commit}, not ${runtime}` : null
    const mismatch = differs ?? otherCommit
    if (mismatch !== null) {
      throw new PregenError('E_WHEEL_MISMATCH', `${basename(wheel.path)} is of ${mismatch}.`, {
        help: `The provider must be built with the ONNX Runtime that is here: ${PACKAGE} ${version}.`,
      })
    }
    needsOf(found.cudaMajor)
    const sizes = await Promise.all(
      (await readdir(fresh)).map(async (name) => (await stat(join(fresh, name))).size),
    )
    const record = {
      provider: 'cuda' as const,
      ...found,
      wheel: basename(wheel.path),
      sizeBytes: sizes.reduce((sum, size) => sum + size, 0),
    }
    await writeRecord(fresh, record)
    const folder = providerFolder(cacheDir, version)
    await rm(folder, { recursive: true, force: true })
    await rename(fresh, folder)
    if (wheel.isOurs) await rm(wheel.path)
    return { ...record, folder }
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

const UNFINISHED = '.cuda-'
/** Nothing is unpacked for so long. */
const ABANDONED_MS = 60 * 60 * 1000

/** What an install left that was killed: 300 MB each. */
async function sweepUnfinished(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(UNFINISHED)) continue
    const path = join(root, name)
    if (Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS)
      await rm(path, { recursive: true, force: true })
  }
}

/** A wheel from `--from`, or fetched into the cache (then it is ours to remove). */
async function obtainWheel(
  name: string,
  version: string | undefined,
  { from, env, fetch = proxiedFetch, signal, onProgress }: InstallOptions,
  wheels: string,
): Promise<{ readonly path: string; readonly isOurs: boolean }> {
  if (from !== undefined) return { path: await wheelIn(from, name, version), isOurs: false }
  const indexUrl = env.PIP_INDEX_URL || DEFAULT_INDEX_URL
  const file = await findWheel({ indexUrl, name, version }, fetch, signal)
  const path = join(wheels, basename(file.filename))
  await downloadFile(file, path, {
    fetch,
    signal,
    onProgress: (bytes, total) => onProgress(file.filename, bytes, total),
  })
  return { path, isOurs: true }
}

async function wheelIn(from: string, name: string, version: string | undefined): Promise<string> {
  const stem = `${name.replaceAll('-', '_')}-${version === undefined ? '' : `${version}-`}`
  const missing = (what: string) =>
    new PregenError('E_WHEEL_NOT_FOUND', what, {
      help: `On a machine with network: pip download --no-deps --platform manylinux_2_28_x86_64 --only-binary=:all: ${name}${version ? `==${version}` : ''}`,
    })
  let names: string[]
  try {
    names = await readdir(from)
  } catch (error) {
    // A single wheel; for NVIDIA's libraries, the folder that it lies in.
    if (errorCode(error) === 'ENOTDIR' && basename(from).startsWith(stem)) return from
    if (errorCode(error) === 'ENOTDIR') throw missing(`${from} is not ${stem}….whl.`)
    throw missing(`There is no ${from}.`)
  }
  const wheel = names
    .filter((entry) => entry.startsWith(stem) && entry.endsWith('.whl'))
    .sort()
    .at(-1)
  if (wheel === undefined) throw missing(`${from} holds no ${stem}….whl.`)
  return join(from, wheel)
}

async function checkMachine(options: InstallOptions, cudaMajor: number): Promise<CudaMachine | null> {
  const { inspect = inspectMachine, withoutCard } = options
  const needs = needsOf(cudaMajor)
  const { machine, problem } = await inspect()
  const help = 'To install all the same, for a machine that has one: --without-card.'
  const fault =
    machine === null
      ? new PregenError('E_CUDA_DRIVER', `CUDA cannot run here: ${problem}.`, { help })
      : compareVersions(machine.driver, needs.minDriver) < 0
        ? new PregenError(
            'E_CUDA_DRIVER',
            `The NVIDIA driver ${machine.driver} is too old: CUDA ${cudaMajor} needs ${needs.minDriver} or newer.`,
            { help: `Update the driver. ${help}` },
          )
        : machine.cards.every(
              (card) => compareVersions(card.computeCapability, needs.minComputeCapability) < 0,
            )
          ? new PregenError(
              'E_CUDA_CARD',
              `${machine.cards[0]?.name} (compute capability ${machine.cards[0]?.computeCapability}) is too old: CUDA ${cudaMajor} needs ${needs.minComputeCapability} or newer.`,
              { help: `Take --provider cpu or webgpu. ${help}` },
            )
          : null
  if (fault !== null && !withoutCard) throw fault
  return machine
}

function needsOf(cudaMajor: number) {
  const needs = needsOfCuda(cudaMajor)
  if (needs !== undefined) return needs
  throw new PregenError(
    'E_PROVIDER_UNSUPPORTED',
    `The provider is built for CUDA ${cudaMajor}, which this pregen does not know.`,
    {
      help: 'Update pregen.',
    },
  )
}
