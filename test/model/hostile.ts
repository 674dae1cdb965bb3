/** Model folders as a stranger would make them. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { PregenError, PregenErrors } from '../../src/errors.ts'
import { checkModelFolder } from '../../src/model/check.ts'
import { modelFacts } from '../../src/model/facts.ts'
import { readModelFolder } from '../../src/model/folder.ts'

/** All that planning does with a folder. */
export async function planModel(path: string, previewDecoder?: string) {
  const folder = readModelFolder(path, { previewDecoder })
  await checkModelFolder(folder)
  return modelFacts(folder)
}

/** The errors of a folder that planning refuses; anything else that is thrown is a fault of the test. */
export async function refusals(work: () => unknown): Promise<readonly PregenError[]> {
  try {
    await work()
  } catch (thrown) {
    if (thrown instanceof PregenErrors) return thrown.errors
    if (thrown instanceof PregenError) return [thrown]
    throw thrown
  }
  throw new Error('nothing was refused')
}

export function editConfig(folder: string, file: string, edit: object): void {
  const path = join(folder, file)
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...edit }))
}

/** Puts something else in a file's place. */
export function replaceFile(path: string, by: (path: string) => void): void {
  rmSync(path, { force: true, recursive: true })
  mkdirSync(dirname(path), { recursive: true })
  by(path)
}

export function makeFifo(path: string): void {
  execFileSync('mkfifo', [path])
}

/** Every file of a folder, by its path below it. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}

/**
 * A folder laid out as Hugging Face's cache has it: contents under `blobs/`, links to them in a snapshot.
 * @returns the snapshot
 */
export function inHubCache(folder: string): string {
  const hub = join(dirname(folder), `models--who--${basename(folder)}`)
  const snapshot = join(hub, 'snapshots', 'a'.repeat(40))
  mkdirSync(join(hub, 'blobs'), { recursive: true })
  for (const file of filesOf(folder)) {
    const name = createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex')
    renameSync(join(folder, file), join(hub, 'blobs', name))
    const link = join(snapshot, file)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(relative(dirname(link), join(hub, 'blobs', name)), link)
  }
  return snapshot
}
