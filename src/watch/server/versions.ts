/** The versions that an output folder holds, found by their manifests and their cues. */
import { statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { type OpenFolder, openFolder } from '../../artifacts/confined-folder.ts'
import type { Confinement } from '../../artifacts/confinement.ts'

export interface VersionOnDisk {
  readonly version: string
  /** `foigoi/<version>` */
  readonly prefix: string
}

/** A sheet's root may have several parts; none has more. */
const MAX_DEPTH = 6

/** The one that was changed last comes first. */
export function listVersions(inside: Confinement): readonly VersionOnDisk[] {
  const found: { version: string; prefix: string; changedMs: number }[] = []
  const walk = (folder: OpenFolder, depth: number): void => {
    const entries = folder.list().filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    if (depth > 1 && entries.some(({ name }) => name === 'cues')) {
      const parts = relative(inside.out, folder.path).split(sep)
      const changedMs = statSync(folder.at('cues')).mtimeMs
      found.push({ version: parts.at(-1) ?? '', prefix: parts.join('/'), changedMs })
      return
    }
    if (depth >= MAX_DEPTH) return
    for (const { name } of entries) {
      const child = folder.open(name)
      try {
        walk(child, depth + 1)
      } finally {
        child.close()
      }
    }
  }
  const root = openFolder(inside, join(inside.out))
  try {
    walk(root, 0)
  } finally {
    root.close()
  }
  return found
    .sort((a, b) => b.changedMs - a.changedMs || (a.prefix < b.prefix ? -1 : 1))
    .map(({ version, prefix }) => ({ version, prefix }))
}
