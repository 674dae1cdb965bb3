/** Versions in an output folder, found without following a link. */
import { openFolder } from '../artifacts/confined-folder.ts'
import type { Confinement } from '../artifacts/confinement.ts'
import type { LedgerContent } from '../artifacts/ledger.ts'
import { errorCode, PregenError } from '../errors.ts'

/** Folders that hold a `cues` folder, at any depth that a root may have, and those the ledger speaks of. */
export function findPrefixes(inside: Confinement, ledger: LedgerContent): readonly string[] {
  const prefixes = new Set<string>()
  for (const key of ledger.units.keys()) {
    const at = key.lastIndexOf('/cues/')
    if (at > 0) prefixes.add(key.slice(0, at))
  }
  const walk = (parts: readonly string[]): void => {
    for (const name of foldersIn(inside, parts.join('/'))) {
      if (name.startsWith('.')) continue
      // `<root>/<version>/cues`: a version stands at least one folder below the output folder.
      if (name === 'cues' && parts.length >= 2) prefixes.add(parts.join('/'))
      else if (parts.length < MAX_ROOT_DEPTH) walk([...parts, name])
    }
  }
  walk([])
  return [...prefixes].sort()
}

const MAX_ROOT_DEPTH = 6

/** Names of folders in a folder. @param onLink told the key of each link in it */
export function foldersIn(
  inside: Confinement,
  key: string,
  onLink?: (key: string) => void,
): readonly string[] {
  try {
    const folder = openFolder(inside, `${inside.out}/${key}`)
    try {
      const entries = folder.list()
      for (const entry of entries) if (entry.isSymbolicLink()) onLink?.(`${key}/${entry.name}`)
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
    } finally {
      folder.close()
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    // Told of at the units that lie there.
    if (error instanceof PregenError && error.code === 'E_OUTPUT_SYMLINK') return []
    throw error
  }
}
