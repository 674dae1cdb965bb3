/** A finished output folder, read back: its variants as they stand on disk and as the ledger knows them. */
import { join } from 'node:path'
import { hashFileInside, readFileInside, stateInside, TIMING_BYTES } from '../artifacts/confined-files.ts'
import { openFolder } from '../artifacts/confined-folder.ts'
import { type Confinement, confine } from '../artifacts/confinement.ts'
import {
  compareVariantFiles,
  MANIFEST_NAME,
  outputKindOf,
  outputKindOfAsset,
  outputKindOfFiles,
  PAGE_NAMES,
  SHARD_MANIFEST,
  stepAnimationName,
  stepName,
  stepOfAnimationName,
  TIMING_NAME,
} from '../artifacts/file-names.ts'
import { inspectFiles, listVariantFiles } from '../artifacts/file-state.ts'
import { isVariantKey, pathOfKey } from '../artifacts/layout.ts'
import type { LedgerContent, LedgerFile } from '../artifacts/ledger.ts'
import { parseTiming, timingSteps } from '../artifacts/timing.ts'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { findPrefixes, foldersIn } from './find-versions.ts'
import { examineForeign, sharedFiles } from './foreign-files.ts'
import { contentAlone, type UploadFile } from './upload-folder.ts'

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
  readonly files: readonly UploadFile[]
  readonly problems: readonly TreeProblem[]
}

export interface TreeVersion {
  /** `foigoi/<version>` */
  readonly prefix: string
  readonly variants: readonly TreeVariant[]
  /** The manifest's path where there is one. */
  readonly manifestPath: string | null
  /** Its path, and those of shards' own whose trees were copied here. */
  readonly manifestPaths: readonly string[]
  /** Which of the page's files stand beside the manifest. */
  readonly pageNames: readonly string[]
}

export interface ReadTreeOptions {
  /** Re-hash files that look untouched, too. */
  readonly rehash?: boolean | undefined
  /**
   * For files that are to be sent: whether a unit's record is this user's own. The files of any other are hashed, and
   * held to be what their names say.
   */
  readonly isOwn?: ((key: string) => boolean) | undefined
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
  const inside = confine(out)
  const links: string[] = []
  const onLink = (key: string) => void links.push(key)
  for (const prefix of findPrefixes(inside, ledger)) {
    const keys = new Set([...ledger.units.keys()].filter((key) => key.startsWith(`${prefix}/cues/`)))
    for (const cue of foldersIn(inside, `${prefix}/cues`, onLink)) {
      for (const variant of foldersIn(inside, `${prefix}/cues/${cue}`, onLink)) {
        keys.add(`${prefix}/cues/${cue}/${variant}`)
      }
    }
    const variants: TreeVariant[] = []
    for (const key of [...keys].sort()) variants.push(await readVariant(inside, key, ledger, options))
    for (const key of links.splice(0)) {
      if (!keys.has(key))
        variants.push(refused(inside, key, 'it is a symbolic link, which is never followed'))
    }
    const manifestPath = join(inside.out, ...prefix.split('/'), MANIFEST_NAME)
    const isThere = (await stateInside(inside, manifestPath))?.isFile() === true
    const manifestPaths = [...shardManifests(inside, prefix), ...(isThere ? [manifestPath] : [])]
    const pageNames = await pageNamesIn(inside, prefix)
    versions.push({ prefix, variants, manifestPath: isThere ? manifestPath : null, manifestPaths, pageNames })
  }
  return versions
}

async function pageNamesIn(inside: Confinement, prefix: string): Promise<readonly string[]> {
  const folder = join(inside.out, ...prefix.split('/'))
  const isFile = async (name: string) => (await stateInside(inside, join(folder, name)))?.isFile() === true
  const found = await Promise.all(PAGE_NAMES.map(async (name) => ((await isFile(name)) ? [name] : [])))
  return found.flat()
}

function shardManifests(inside: Confinement, prefix: string): readonly string[] {
  const path = join(inside.out, ...prefix.split('/'))
  try {
    const folder = openFolder(inside, path)
    try {
      const entries = folder.list().filter((entry) => entry.isFile() && SHARD_MANIFEST.test(entry.name))
      return entries.map(({ name }) => join(path, name)).sort()
    } finally {
      folder.close()
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    // Told of at the units that lie there.
    if (error instanceof PregenError && error.code === 'E_OUTPUT_SYMLINK') return []
    throw error
  }
}

/** Nothing of it is read or sent. */
function refused(inside: Confinement, key: string, message: string): TreeVariant {
  const problems: TreeProblem[] = [{ key, code: 'invalid', message }]
  return { key, folder: join(inside.out, ...key.split('/')), files: [], problems }
}

async function readVariant(
  inside: Confinement,
  key: string,
  ledger: LedgerContent,
  options: ReadTreeOptions,
): Promise<TreeVariant> {
  if (!isVariantKey(key)) return refused(inside, key, 'pregen gives no such name')
  const folder = pathOfKey(inside.out, key)
  const names = await namesIn(inside, folder)
  if (names instanceof PregenError) return refused(inside, key, names.message)
  const unit = ledger.units.get(key)
  const problems: TreeProblem[] = []
  const files: UploadFile[] = []
  const problem = (code: TreeProblem['code'], name: string | null, message: string) =>
    problems.push({ key: name === null ? key : `${key}/${name}`, code, message })
  const isForeign = options.isOwn !== undefined && !options.isOwn(key)
  const looks = { inside, rehash: options.rehash === true || isForeign }
  const shared = isForeign ? await sharedFiles(inside, folder, names) : new Set<string>()
  for (const name of shared) problem('invalid', name, 'the file has a second name outside')

  const take = async (file: LedgerFile, found: LedgerFile) => {
    const fault = isForeign ? await examineForeign(inside, folder, file.name) : null
    if (fault) problem('invalid', file.name, fault)
    else files.push(isForeign ? contentAlone(found) : found)
  }
  const toInspect = unit?.files.filter(({ name }) => !shared.has(name)) ?? []
  for (const state of await inspectFiles(folder, toInspect, looks)) {
    if (state.fault === 'missing') problem('missing', state.name, 'the file is gone')
    else if (state.fault === 'altered') problem('altered', state.name, 'the file is not what was written')
    else {
      const record = unit?.files.find((file) => file.name === state.name)
      if (record) await take(record, state.refreshed ?? record)
    }
  }
  const recorded = new Set(unit?.files.map((file) => file.name))
  for (const name of names) {
    if (recorded.has(name) || shared.has(name)) continue
    if (unit) problem('unexpected', name, 'the run did not write it')
    else {
      const found = await recordOf(inside, folder, name)
      if (found instanceof PregenError) problem('invalid', name, found.message)
      else await take(found, found)
    }
  }
  if (unit?.complete === false) problem('incomplete', null, 'a preview failed, so it has no timing.json')
  const kind = outputKindOfFiles(names)
  const finalName = unit?.asset
    ? outputKindOfAsset(unit.asset).name
    : (kind?.name ?? outputKindOf('image').name)
  if (!unit && !names.includes(finalName)) problem('incomplete', null, `it has no ${finalName}`)
  for (const [code, name, message] of await markerFaults({ inside, folder, names, finalName })) {
    if (!problems.some((told) => told.key === `${key}/${name}`)) problem(code, name, message)
  }
  return { key, folder, files: files.sort((a, b) => compareVariantFiles(a.name, b.name)), problems }
}

/** A folder that is a link, or lies behind one, is told of and not looked into. */
async function namesIn(inside: Confinement, folder: string): Promise<readonly string[] | PregenError> {
  try {
    return await listVariantFiles(folder, inside)
  } catch (error) {
    if (error instanceof PregenError) return error
    throw error
  }
}

interface MarkedFolder {
  readonly inside: Confinement
  readonly folder: string
  readonly names: readonly string[]
  readonly finalName: string
}

/** The marker's promise: a step picture for every step that it names, or for every k-th and the last. */
async function markerFaults({
  inside,
  folder,
  names,
  finalName,
}: MarkedFolder): Promise<readonly (readonly [TreeProblem['code'], string, string])[]> {
  if (!names.includes(TIMING_NAME)) return []
  try {
    const path = join(folder, TIMING_NAME)
    const { bytes } = await readFileInside(inside, path, TIMING_BYTES)
    const timing = parseTiming(bytes.toString('utf8'), path)
    const last = timingSteps(timing)
    if (last > 0 && !names.includes(stepName(last))) {
      return [['missing', stepName(last), `${TIMING_NAME} stands, but the last step's picture does not`]]
    }
    const animation = stepAnimationName(last || 1)
    if (names.some((name) => stepOfAnimationName(name) !== null) && !names.includes(animation)) {
      return [['missing', animation, `${TIMING_NAME} stands, but the last step's animation does not`]]
    }
    return names.includes(finalName) ? [] : [['missing', finalName, `${TIMING_NAME} stands without it`]]
  } catch (error) {
    return [['invalid', TIMING_NAME, messageOf(error)]]
  }
}

async function recordOf(
  inside: Confinement,
  folder: string,
  name: string,
): Promise<LedgerFile | PregenError> {
  const path = join(folder, name)
  try {
    const { size, mtimeMs, sha256 } = await hashFileInside(inside, path)
    return { name, sha256, sizeBytes: size, mtimeMs }
  } catch (error) {
    if (error instanceof PregenError) return error
    throw error
  }
}
