/** Where CUDA's shared libraries lie: the system's, those of Python environments and conda, and pregen's own. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface LibrarySearch {
  /** LD_LIBRARY_PATH, CONDA_PREFIX and VIRTUAL_ENV are looked at. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Folders that are looked at first: those that pregen filled itself. */
  readonly ownFolders: readonly string[]
  /** Folders looked at last; the usual ones of CUDA's installers unless told otherwise. */
  readonly systemFolders?: readonly string[] | undefined
  /** Runs a command and gives its stdout, or "" where that fails. */
  readonly readCommand?: ((command: string, args: readonly string[]) => Promise<string>) | undefined
}

export interface FoundLibraries {
  /** Folders, for LD_LIBRARY_PATH, that hold what the loader would not find by itself. */
  readonly folders: readonly string[]
  readonly missing: readonly string[]
}

const SYSTEM_FOLDERS = [
  '/usr/local/cuda/lib64',
  '/usr/local/cuda/targets/x86_64-linux/lib',
  '/usr/local/nvidia/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
]
const SITE_PACKAGES =
  'import site,sysconfig;print("\\n".join([sysconfig.get_paths()["purelib"],*site.getsitepackages(),site.getusersitepackages()]))'

/** Looks for each library by its very name; the first folder that holds it counts. */
export async function findLibraries(
  names: readonly string[],
  search: LibrarySearch,
): Promise<FoundLibraries> {
  const { readCommand = runQuietly } = search
  const known = knownToLoader(await readCommand('ldconfig', ['-p']))
  const folders = new Set<string>()
  const missing: string[] = []
  const contents = new Map<string, ReadonlySet<string>>()
  const candidates = await candidateFolders(search, readCommand)
  for (const folder of candidates) contents.set(folder, new Set(await listFolder(folder)))
  for (const name of names) {
    const folder = candidates.find((candidate) => contents.get(candidate)?.has(name))
    if (folder !== undefined) folders.add(folder)
    else if (!known.has(name)) missing.push(name)
  }
  return { folders: [...folders], missing }
}

async function candidateFolders(
  { env, ownFolders, systemFolders = SYSTEM_FOLDERS }: LibrarySearch,
  readCommand: (command: string, args: readonly string[]) => Promise<string>,
): Promise<readonly string[]> {
  const given = (env.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder !== '')
  const conda = env.CONDA_PREFIX ? [join(env.CONDA_PREFIX, 'lib')] : []
  const pythons = [...(env.VIRTUAL_ENV ? [join(env.VIRTUAL_ENV, 'bin/python3')] : []), 'python3']
  const sites = await Promise.all(pythons.map((python) => readCommand(python, ['-c', SITE_PACKAGES])))
  const wheels = await Promise.all(
    [...new Set(sites.flatMap((text) => text.split('\n').filter((line) => line !== '')))].map(nvidiaFolders),
  )
  return [...new Set([...ownFolders, ...given, ...wheels.flat(), ...conda, ...systemFolders])]
}

/** `<site-packages>/nvidia/<part>/lib`, as NVIDIA's wheels lay them out (CUDA 13's share `cu13`). */
async function nvidiaFolders(sitePackages: string): Promise<readonly string[]> {
  const root = join(sitePackages, 'nvidia')
  return (await listFolder(root)).map((part) => join(root, part, 'lib'))
}

function knownToLoader(ldconfig: string): ReadonlySet<string> {
  const names = ldconfig.split('\n').flatMap((line) => {
    const [name, kind] = line.trim().split(' ', 2)
    return name !== undefined && kind?.startsWith('(libc6') ? [name] : []
  })
  return new Set(names)
}

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch {
    // A folder that is not there, or may not be read, holds nothing that could be loaded.
    return []
  }
}

async function runQuietly(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, [...args], { encoding: 'utf8', timeout: 20_000 })
    return stdout
  } catch {
    // No Python, or no ldconfig on the path: one place fewer to look at.
    return ''
  }
}
