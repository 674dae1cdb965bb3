/** A finished output folder, read back: its variants as they stand on disk and as the ledger knows them. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile, inspectFiles, listVariantFiles } from '../artifacts/file-state.ts'
import { compareVariantFiles, FINAL_NAME, MANIFEST_NAME, stepName, TIMING_NAME } from '../artifacts/layout.ts'
import type { LedgerContent, LedgerFile } from '../artifacts/ledger.ts'
import { parseTiming, timingSteps } from '../artifacts/timing.ts'
import { errorCode, messageOf } from '../errors.ts'

export interface TreeProblem {
  /** Key of the file or folder. */
  readonly key: string
  readonly code: 'missing' | 'altered' | 'unexpected' | 'incomplete' | 'invalid'
  readonly message: string
}

export interface TreeVariant {
  /** `foigoi/<version>/cues/<cue>/<variant>` */
  readonly key: string
  readonly folder: string
  /** All of ours that stand there and are what they were, with their true checksums. */
  readonly files: readonly LedgerFile[]
  readonly problems: readonly TreeProblem[]
}

export interface TreeVersion {
  /** `foigoi/<version>` */
  readonly prefix: string
  readonly variants: readonly TreeVariant[]
  /** The manifest's path where there is one. */
  readonly manifestPath: string | null
}

export interface ReadTreeOptions {
  /** Re-hash files that look untouched, too. */
  readonly rehash?: boolean | undefined
}

/**
 * Reads all versions in an output folder. A folder without a ledger (a tree that was copied) is judged by its own
 * `timing.json`s.
 */
export async function readTree(
  out: string,
  ledger: LedgerContent,
  options: ReadTreeOptions = {},
): Promise<readonly TreeVersion[]> {
  const versions: TreeVersion[] = []
  for (const prefix of await findPrefixes(out, ledger)) {
    const keys = new Set([...ledger.units.keys()].filter((key) => key.startsWith(`${prefix}/cues/`)))
    const cues = join(out, ...prefix.split('/'), 'cues')
    for (const cue of await foldersIn(cues)) {
      for (const variant of await foldersIn(join(cues, cue))) keys.add(`${prefix}/cues/${cue}/${variant}`)
    }
    const variants: TreeVariant[] = []
    for (const key of [...keys].sort()) variants.push(await readVariant(out, key, ledger, options))
    const manifestPath = join(out, ...prefix.split('/'), MANIFEST_NAME)
    versions.push({ prefix, variants, manifestPath: (await isFile(manifestPath)) ? manifestPath : null })
  }
  return versions
}

async function readVariant(
  out: string,
  key: string,
  ledger: LedgerContent,
  options: ReadTreeOptions,
): Promise<TreeVariant> {
  const folder = join(out, ...key.split('/'))
  const names = await listVariantFiles(folder)
  const unit = ledger.units.get(key)
  const problems: TreeProblem[] = []
  const files: LedgerFile[] = []
  const problem = (code: TreeProblem['code'], name: string | null, message: string) =>
    problems.push({ key: name === null ? key : `${key}/${name}`, code, message })

  for (const state of unit ? await inspectFiles(folder, unit.files, options) : []) {
    if (state.fault === 'missing') problem('missing', state.name, 'the file is gone')
    else if (state.fault === 'altered') problem('altered', state.name, 'the file is not what was written')
    else {
      const record = unit?.files.find((file) => file.name === state.name)
      if (record) files.push(state.refreshed ?? record)
    }
  }
  const recorded = new Set(unit?.files.map((file) => file.name))
  for (const name of names) {
    if (recorded.has(name)) continue
    if (unit) problem('unexpected', name, 'the run did not write it')
    else files.push(await recordOf(folder, name))
  }
  if (unit?.complete === false) problem('incomplete', null, 'a preview failed, so it has no timing.json')
  if (!unit && !names.includes(FINAL_NAME)) problem('incomplete', null, `it has no ${FINAL_NAME}`)
  for (const [code, name, message] of await markerFaults(folder, names)) {
    if (!problems.some((told) => told.key === `${key}/${name}`)) problem(code, name, message)
  }
  return { key, folder, files: files.sort((a, b) => compareVariantFiles(a.name, b.name)), problems }
}

/** The marker's promise: a step picture for every step that it names, or for every k-th and the last. */
async function markerFaults(
  folder: string,
  names: readonly string[],
): Promise<readonly (readonly [TreeProblem['code'], string, string])[]> {
  if (!names.includes(TIMING_NAME)) return []
  try {
    const timing = parseTiming(await readFile(join(folder, TIMING_NAME), 'utf8'), join(folder, TIMING_NAME))
    const last = timingSteps(timing)
    if (last > 0 && !names.includes(stepName(last))) {
      return [['missing', stepName(last), `${TIMING_NAME} stands, but the last step's picture does not`]]
    }
    return names.includes(FINAL_NAME) ? [] : [['missing', FINAL_NAME, `${TIMING_NAME} stands without it`]]
  } catch (error) {
    return [['invalid', TIMING_NAME, messageOf(error)]]
  }
}

async function recordOf(folder: string, name: string): Promise<LedgerFile> {
  const path = join(folder, name)
  const state = await stat(path)
  return { name, sha256: await hashFile(path), sizeBytes: state.size, mtimeMs: state.mtimeMs }
}

/** Folders that hold a `cues` folder, at any depth that a root may have, and those the ledger speaks of. */
async function findPrefixes(out: string, ledger: LedgerContent): Promise<readonly string[]> {
  const prefixes = new Set<string>()
  for (const key of ledger.units.keys()) {
    const at = key.lastIndexOf('/cues/')
    if (at > 0) prefixes.add(key.slice(0, at))
  }
  const walk = async (parts: readonly string[]): Promise<void> => {
    for (const name of await foldersIn(join(out, ...parts))) {
      if (name.startsWith('.')) continue
      // `<root>/<version>/cues`: a version stands at least one folder below the output folder.
      if (name === 'cues' && parts.length >= 2) prefixes.add(parts.join('/'))
      else if (parts.length < MAX_ROOT_DEPTH) await walk([...parts, name])
    }
  }
  await walk([])
  return [...prefixes].sort()
}

const MAX_ROOT_DEPTH = 6

async function foldersIn(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    throw error
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
