/** `<out>/.pregen/runs/<id>/`: where a run's record and its log lie. */
import { join } from 'node:path'
import { makeFolder, openFolder, PRIVATE_FOLDER, removeFolder } from '../../artifacts/confined-folder.ts'
import type { Confinement } from '../../artifacts/confinement.ts'
import { createStateLayout } from '../../artifacts/layout.ts'
import { makeStateFolder } from '../../artifacts/state-folder.ts'
import { errorCode } from '../../errors.ts'

/** Runs whose folders are kept. */
const KEPT_RUNS = 50

/** In a run's folder: the text of a sheet that is no file. */
export const SHEET_COPY = 'sheet.yaml'

const RUN_ID = /^\d{8}-\d{6}-[0-9a-f]{4}$/

export function isRunId(text: string): boolean {
  return RUN_ID.test(text)
}

/** The folder of all runs of an output folder. */
function runsFolder(out: string): string {
  return createStateLayout(out).runsFolder
}

/** @throws RangeError for anything but a run's id */
export function runFolder(out: string, id: string): string {
  if (!isRunId(id)) throw new RangeError(`${JSON.stringify(id)} is no id of a run`)
  return join(runsFolder(out), id)
}

/** Makes the folder of a run, which its owner alone reads. */
export function makeRunFolder(out: string, id: string): Confinement {
  const folder = runFolder(out, id)
  const inside = makeStateFolder(createStateLayout(out).lockPath)
  makeFolder(inside, runsFolder(out), PRIVATE_FOLDER)
  makeFolder(inside, folder, PRIVATE_FOLDER)
  return inside
}

/** Ids of the runs of an output folder, the oldest first. */
export function listRunIds(inside: Confinement): readonly string[] {
  try {
    const folder = openFolder(inside, runsFolder(inside.out))
    try {
      return folder
        .list()
        .filter((entry) => entry.isDirectory() && isRunId(entry.name))
        .map(({ name }) => name)
        .sort()
    } finally {
      folder.close()
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    throw error
  }
}

/**
 * Removes the oldest folders over the number that is kept.
 * @param isOver whether a run has ended; one that has not is kept
 */
export async function pruneRuns(
  inside: Confinement,
  isOver: (id: string) => Promise<boolean>,
): Promise<void> {
  const ids = listRunIds(inside)
  for (const id of ids.slice(0, Math.max(0, ids.length - KEPT_RUNS))) {
    if (await isOver(id)) removeFolder(inside, runFolder(inside.out, id))
  }
}
