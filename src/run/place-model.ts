/** Where a sheet's model lies: the folder that it names, or what was pulled of the hub. Nothing is fetched. */
import { homedir } from 'node:os'
import type { CueSheet, SheetModel } from '../cue-sheet/sheet.ts'
import { PregenError } from '../errors.ts'
import { findPulled } from '../hub/find-pulled.ts'
import { hubCacheFolder, parseHubReference } from '../hub/reference.ts'

/**
 * @param env HF_HOME and its like say where the hub's cache lies
 * @returns an absolute folder
 * @throws PregenError `E_HUB_REFERENCE`, `E_HUB_NOT_PULLED` at the line of the sheet
 */
export function placeOfModel(
  { id, path, hub }: SheetModel,
  sheet: Pick<CueSheet, 'locate'>,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (hub === undefined) return path
  try {
    return findPulled(parseHubReference(hub), hubCacheFolder(env, homedir()))
  } catch (error) {
    if (!(error instanceof PregenError)) throw error
    const { code, message, help } = error
    throw new PregenError(code, `models.${id}: ${message}`, {
      help,
      location: sheet.locate(['models', id, 'hub']),
      cause: error,
    })
  }
}
