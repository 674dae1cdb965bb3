/** `<out>/.pregen/`: the run's own folder, which its owner alone reads, and in which nothing leads elsewhere. */
import { type Dirent, mkdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { makeFolder, openFolder, PRIVATE_FOLDER } from './confined-folder.ts'
import { type Confinement, confineState, refuseLinks, statIfThere, wrongKind } from './confinement.ts'
import { ifSupported } from './weak-file-system.ts'
import { noWriteHook, type WriteHook } from './write-points.ts'

const FILES = new Set(['films.json', 'ledger.ndjson', 'lock', 'storage.json'])
const FOLDERS = new Set(['live', 'jobs', 'runs'])
const NAME = '.pregen'

/**
 * Makes the folder of a state file, or takes the one that is there.
 * @param path of the file
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`
 */
export function makeStateFolder(path: string): Confinement {
  const folder = dirname(resolve(path))
  // The output folder itself, which the user named.
  mkdirSync(dirname(folder), { recursive: true })
  const inside = confineState(path)
  makeFolder(inside, folder, basename(folder) === NAME ? PRIVATE_FOLDER : undefined)
  return inside
}

/**
 * Looks through what is there before anything in it is used: files and folders of ours, no links, no pipes, no
 * devices. Each is judged once more on its handle when it is opened.
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`
 */
export async function checkStateFolder(
  inside: Confinement,
  path: string,
  onPoint: WriteHook = noWriteHook,
): Promise<void> {
  if (basename(path) !== NAME) return
  const folder = openFolder(inside, path)
  try {
    await ifSupported('permissions', path, async () => {
      await onPoint('make-private', path)
      folder.makePrivate()
    })
    for (const entry of folder.list()) check(inside, path, folder.at(entry.name), entry)
  } finally {
    folder.close()
  }
}

function check(inside: Confinement, folder: string, at: string, entry: Dirent): void {
  const path = join(folder, entry.name)
  if (entry.isSymbolicLink()) refuseLinks(inside, join(inside.real, NAME, entry.name))
  const isKnown = entry.isFile() || entry.isDirectory()
  if (!isKnown || (FILES.has(entry.name) && !entry.isFile())) throw wrongKind(path, statIfThere(at))
  if (FOLDERS.has(entry.name) && !entry.isDirectory()) throw wrongKind(path, statIfThere(at), 'a folder')
}
