/** Films of steps of variants that the sheet has no more, `films/<version>/<cue>/<variant>.mp4`, in the output folder and in the bucket. */
import { extname } from 'node:path'
import { removeFileInside } from '../artifacts/confined-files.ts'
import { removeFolder, withFolder } from '../artifacts/confined-folder.ts'
import { confine, confineIfThere } from '../artifacts/confinement.ts'
import { FILMS_FOLDER } from '../artifacts/file-names.ts'
import { isKey, pathOfKey } from '../artifacts/layout.ts'
import { errorCode } from '../errors.ts'
import { FILM_FORMATS } from '../films/film-options.ts'
import { foldersIn } from '../storage/find-versions.ts'
import type { Storage } from '../storage/storage.ts'
import type { PreparedRun } from './prepared.ts'

export interface StrayFilms {
  /** Keys below the output folder; of numbered pictures, their folder's. */
  readonly onDisk: readonly string[]
  readonly inBucket: readonly string[]
}

/** Films of several variants, `films/<version>/<cue>.mp4`, are nobody's but who asked for them. @param storage null: the disk alone */
export async function findStrayFilms(
  prepared: Pick<PreparedRun, 'layout' | 'sheetUnits' | 'version'>,
  storage: Storage | null,
): Promise<StrayFilms> {
  const { layout, sheetUnits, version } = prepared
  const folder = `${FILMS_FOLDER}/${version}`
  const planned = new Set([...sheetUnits.values()].map(({ cue, variant }) => `${cue}/${variant}`))
  const isStray = (key: string): boolean => {
    const [cue, name, ...deeper] = key.slice(folder.length + 1).split('/')
    if (cue === undefined || name === undefined || deeper.length > 0) return false
    const extension = extname(name)
    const isFilm = extension === '' || EXTENSIONS.has(extension)
    const variant = name.slice(0, name.length - extension.length)
    return isFilm && isKey(key) && !planned.has(`${cue}/${variant}`)
  }
  const inside = confineIfThere(layout.out)
  const onDisk: string[] = []
  for (const cue of inside === null ? [] : foldersIn(inside, folder)) {
    const within = `${folder}/${cue}`
    const names = await withFolder(confine(layout.out), pathOfKey(layout.out, within), (opened) =>
      opened.list().flatMap((entry) => (entry.isFile() || entry.isDirectory() ? [entry.name] : [])),
    )
    onDisk.push(...names.map((name) => `${within}/${name}`).filter(isStray))
  }
  const inBucket: string[] = []
  if (storage !== null) {
    for await (const { key } of storage.list(`${folder}/`)) if (isStray(key)) inBucket.push(key)
  }
  return { onDisk: onDisk.sort(), inBucket }
}

const EXTENSIONS: ReadonlySet<string> = new Set(
  FILM_FORMATS.map((format) => (format === 'prores' || format === 'hap' ? '.mov' : `.${format}`)),
)

/** @param keys as `findStrayFilms` has them */
export async function removeFilms(out: string, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return
  const inside = confine(out)
  for (const key of keys) {
    const path = pathOfKey(out, key)
    if (extname(key) === '') removeFolder(inside, path)
    else await removeFileInside(inside, path)
  }
  for (const folder of new Set(keys.map((key) => pathOfKey(out, key.slice(0, key.lastIndexOf('/')))))) {
    try {
      const left = await withFolder(inside, folder, (opened) => opened.list().length)
      if (left === 0) removeFolder(inside, folder)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
}
