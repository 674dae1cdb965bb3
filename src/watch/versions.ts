/** The versions that an output folder holds: every folder with a manifest. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MANIFEST_NAME } from '../artifacts/layout.ts'
import { errorCode } from '../errors.ts'

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

/** The newest first. Symbolic links are not followed. */
export async function findVersions(out: string): Promise<readonly OutputVersion[]> {
  const versions: OutputVersion[] = []
  const walk = async (parts: readonly string[]): Promise<void> => {
    const folder = join(out, ...parts)
    const changedAt = parts.length < 2 ? null : await changeOf(join(folder, MANIFEST_NAME))
    if (changedAt !== null) {
      versions.push({ version: parts.at(-1) ?? '', prefix: parts.join('/'), folder, changedAt })
      return
    }
    if (parts.length >= MAX_DEPTH) return
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'cues') {
        await walk([...parts, entry.name])
      }
    }
  }
  await walk([])
  return versions.sort((a, b) => b.changedAt.getTime() - a.changedAt.getTime())
}

/** null where there is no such file. */
async function changeOf(path: string): Promise<Date | null> {
  try {
    const state = await stat(path)
    return state.isFile() ? state.mtime : null
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}
