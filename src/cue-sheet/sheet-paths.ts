/** Where a stranger's sheet may lead on this machine: below one folder alone, links followed. */
import { realpathSync } from 'node:fs'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { errorCode } from '../errors.ts'
import type { CueSheet } from './sheet.ts'

/**
 * Every path that a sheet names, absolute: models and decoders, and whatever its units are drawn from.
 * @param ownModels ids whose folders come from elsewhere
 */
export function pathsOfSheet(sheet: CueSheet, ownModels: ReadonlySet<string> = new Set()): readonly string[] {
  const paths = new Set<string>()
  for (const { id, path, hub, embedded, previewDecoder } of Object.values(sheet.models)) {
    // What the hub's cache holds was put there by who runs this machine.
    if (!embedded && hub === undefined && !ownModels.has(id)) paths.add(path)
    if (previewDecoder !== undefined) paths.add(previewDecoder)
  }
  for (const { variants } of sheet.cues) {
    for (const { settings } of variants) {
      const { image, mask, lastImage, video, images = [] } = settings
      for (const source of [image, mask, lastImage, video, ...images])
        if (source !== undefined && !/^https?:/i.test(source)) paths.add(source)
    }
  }
  return [...paths]
}

/** Those that do not lie below a folder. @param folder null: nothing lies below it */
export function pathsOutside(paths: readonly string[], folder: string | null): readonly string[] {
  return paths.filter((path) => folder === null || !isBelow(folder, path))
}

export function isBelow(folder: string, path: string): boolean {
  const inner = relative(realOf(folder), realOf(path))
  return inner !== '' && inner.split(sep)[0] !== '..' && !isAbsolute(inner)
}

/** The real path of what is there; of what is not, its parent's and its name. */
function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error
    const parent = resolve(path, '..')
    return parent === path ? path : join(realOf(parent), relative(parent, path))
  }
}
