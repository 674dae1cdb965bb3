/** The versions that an output folder holds: every folder with a manifest. */
import { join } from 'node:path'
import { stateInside } from '../artifacts/confined-files.ts'
import { withFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { MANIFEST_NAME } from '../artifacts/file-names.ts'

export interface OutputVersion {
  /** The last part of its prefix. */
  readonly version: string
  /** Key prefix of all that it publishes, such as `foigoi/demo`. */
  readonly prefix: string
  readonly folder: string
  /** When its manifest was written last. */
  readonly changedAt: Date
}

// A root may have several parts; the version is one more.
const MAX_DEPTH = 7

/**
 * The newest first. Symbolic links are not followed.
 * @param out the output folder, absolute
 */
export async function findVersions(out: string): Promise<readonly OutputVersion[]> {
  const inside = confine(out)
  const versions: OutputVersion[] = []
  const walk = async (parts: readonly string[]): Promise<void> => {
    const folder = join(out, ...parts)
    const manifest = parts.length < 2 ? null : await stateInside(inside, join(folder, MANIFEST_NAME))
    if (manifest?.isFile()) {
      versions.push({
        version: parts.at(-1) ?? '',
        prefix: parts.join('/'),
        folder,
        changedAt: manifest.mtime,
      })
      return
    }
    if (parts.length >= MAX_DEPTH) return
    const entries = await withFolder(inside, folder, (open) => open.list())
    for (const entry of entries) {
      if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'cues') {
        await walk([...parts, entry.name])
      }
    }
  }
  await walk([])
  return versions.sort((a, b) => b.changedAt.getTime() - a.changedAt.getTime())
}
