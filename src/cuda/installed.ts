/** The CUDA provider that pregen keeps in its cache: where it lies, what it is, and the environment it runs in. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'
import { z } from '../zod.ts'
import { findLibraries, type LibrarySearch } from './find-libraries.ts'
import { needsOfCuda, PROVIDER_LIBRARIES } from './releases.ts'

const RECORD = 'provider.json'
/** The name that node's binding asks the loader for. */
const RUNTIME_LIBRARY = 'libonnxruntime.so.1'

const recordSchema = z.strictObject({
  provider: z.literal('cuda'),
  /** Of ONNX Runtime. */
  version: z.string(),
  cudaMajor: z.int().positive(),
  commit: z.string().nullable(),
  /** File name of the wheel it was taken from. */
  wheel: z.string(),
  sizeBytes: z.int().nonnegative(),
})

export type InstalledProvider = z.infer<typeof recordSchema> & { readonly folder: string }

/** `<cache>/providers/cuda-<version of ONNX Runtime>` */
export function providerFolder(cacheDir: string, version: string): string {
  return join(cacheDir, 'providers', `cuda-${version}`)
}

/** Where the wheels of NVIDIA were unpacked on request; shared by all versions of a CUDA major. */
export function librariesFolder(cacheDir: string, cudaMajor: number): string {
  return join(cacheDir, 'providers', `cuda-libraries-${cudaMajor}`)
}

export async function writeRecord(folder: string, record: Omit<InstalledProvider, 'folder'>): Promise<void> {
  await writeFile(join(folder, RECORD), `${JSON.stringify(record, null, 2)}\n`)
}

/** The installed provider of a version of ONNX Runtime, or null; one that lost a library is none, and is installed again. */
export async function installedProvider(
  cacheDir: string,
  version: string,
): Promise<InstalledProvider | null> {
  return await readRecord(providerFolder(cacheDir, version))
}

/** All that are installed, by version. */
export async function listInstalled(cacheDir: string): Promise<readonly InstalledProvider[]> {
  const root = join(cacheDir, 'providers')
  let names: string[]
  try {
    names = await readdir(root)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
  const found = await Promise.all(
    names.sort().map(async (name) => (name.startsWith('.') ? null : await readRecord(join(root, name)))),
  )
  return found.filter((provider) => provider !== null)
}

/** Removes all that `providers install` has put there. @returns what was removed */
export async function removeInstalled(cacheDir: string): Promise<readonly InstalledProvider[]> {
  const removed = await listInstalled(cacheDir)
  await rm(join(cacheDir, 'providers'), { recursive: true, force: true })
  return removed
}

async function readRecord(folder: string): Promise<InstalledProvider | null> {
  try {
    const record = recordSchema.safeParse(JSON.parse(await readFile(join(folder, RECORD), 'utf8')))
    const isWhole = PROVIDER_LIBRARIES.every((name) => existsSync(join(folder, name)))
    return record.success && isWhole ? { ...record.data, folder } : null
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR' || error instanceof SyntaxError)
      return null
    throw error
  }
}

export interface CudaEnvironmentOptions extends Pick<LibrarySearch, 'env'> {
  readonly cacheDir: string
  /** Where else CUDA's libraries are looked for. */
  readonly search?: Pick<LibrarySearch, 'systemFolders' | 'readCommand'> | undefined
}

export interface CudaEnvironment {
  /** For LD_LIBRARY_PATH of a process that is yet to start: a running one cannot change it. */
  readonly libraryPath: string
  readonly missing: readonly string[]
}

/**
 * The environment in which ONNX Runtime finds the provider. It loads providers from the folder that it was itself
 * loaded from, so that folder holds a link to node's own library and comes first on the path.
 * @param runtimeFolder the folder of onnxruntime-node's libraries
 */
export async function cudaEnvironment(
  installed: InstalledProvider,
  runtimeFolder: string,
  { cacheDir, env, search }: CudaEnvironmentOptions,
): Promise<CudaEnvironment> {
  await linkRuntime(installed.folder, join(runtimeFolder, RUNTIME_LIBRARY))
  const names = Object.keys(needsOfCuda(installed.cudaMajor)?.libraries ?? {})
  const ownFolders = [librariesFolder(cacheDir, installed.cudaMajor)]
  const { folders, missing } = await findLibraries(names, { ...search, env, ownFolders })
  const given = env.LD_LIBRARY_PATH ? [env.LD_LIBRARY_PATH] : []
  return { libraryPath: [installed.folder, ...folders, ...given].join(':'), missing }
}

/** Several processes may do this at once: each makes a link of its own and renames it into place. */
async function linkRuntime(folder: string, library: string): Promise<void> {
  const link = join(folder, RUNTIME_LIBRARY)
  const target = await readlink(link).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  })
  if (target === library) return
  await mkdir(folder, { recursive: true })
  const fresh = `${link}.${process.pid}.tmp`
  await rm(fresh, { force: true })
  await symlink(library, fresh)
  await rename(fresh, link)
}
