/** `pregen verify DIR`: is every file what was written, and does the bucket hold the same? Changes nothing. */
import { createHash } from 'node:crypto'
import { MANIFEST_BYTES, PICTURE_BYTES, readFileInside } from '../artifacts/confined-files.ts'
import { type Confinement, confine } from '../artifacts/confinement.ts'
import { MANIFEST_NAME, outputKindOfAsset, PAGE_NAMES, PAGE_ROOT } from '../artifacts/file-names.ts'
import { parseVariantKey, pathOfKey } from '../artifacts/layout.ts'
import type { LedgerContent } from '../artifacts/ledger.ts'
import { parseManifest } from '../artifacts/manifest.ts'
import { parseRecordKey } from '../artifacts/unit-record.ts'
import { messageOf } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Storage, StoredObject } from './storage.ts'
import { readTree, type TreeProblem, type TreeVersion } from './tree.ts'
import { readTreeManifest } from './tree-manifest.ts'

export interface VerifyProblem {
  readonly where: 'disk' | 'bucket'
  readonly key: string
  readonly code: TreeProblem['code'] | 'differs'
  readonly message: string
}

export interface VerifyTreeResult {
  readonly variants: number
  readonly files: number
  /** Objects compared in the bucket; null without one. */
  readonly objects: number | null
  readonly problems: readonly VerifyProblem[]
}

export interface VerifyTreeOptions {
  readonly out: string
  readonly ledger: LedgerContent
  /** undefined = the disk only. */
  readonly storage?: Storage | undefined
  /** The folder is one shard of several: the bucket holds others' units too, and one manifest of all. */
  readonly isShard?: boolean | undefined
}

/** Re-hashes every file against the ledger, holds the manifest to them, and compares the bucket's listing. */
export async function verifyTree(options: VerifyTreeOptions): Promise<VerifyTreeResult> {
  const { out, ledger, storage, isShard = false } = options
  const problems: VerifyProblem[] = []
  let variants = 0
  let files = 0
  let objects = 0
  const inside = confine(out)
  for (const version of await readTree(out, ledger, { rehash: true })) {
    for (const variant of version.variants) {
      variants += 1
      files += variant.files.length
      for (const problem of variant.problems) problems.push({ where: 'disk', ...problem })
    }
    problems.push(...(await manifestProblems(inside, version)), ...pageProblems(version))
    if (storage) objects += await compareBucket({ storage, inside, version, isShard }, problems)
  }
  return { variants, files, objects: storage ? objects : null, problems }
}

async function manifestProblems(
  inside: Confinement,
  version: TreeVersion,
): Promise<readonly VerifyProblem[]> {
  const key = `${version.prefix}/${MANIFEST_NAME}`
  const fault = (code: VerifyProblem['code'], message: string): VerifyProblem => ({
    where: 'disk',
    key,
    code,
    message,
  })
  if (version.manifestPath === null) return [fault('missing', 'the version has no manifest')]
  try {
    const manifest = await readTreeManifest(inside, version)
    if (manifest === null) return [fault('missing', 'the version has no manifest')]
    const listed = new Map(manifest.assets.map((asset) => [`${asset.cue}/${asset.variant}`, asset]))
    const problems: VerifyProblem[] = []
    for (const variant of version.variants) {
      const name = parseVariantKey(variant.key)
      const asset = name ? listed.get(`${name.cue}/${name.variant}`) : undefined
      if (asset) {
        const finalName = outputKindOfAsset(asset).name
        const final = variant.files.find((file) => file.name === finalName)
        if (final && final.sha256 !== asset.metadata.sha256)
          problems.push(fault('altered', `its sha256 of ${variant.key}/${finalName} is another`))
      } else {
        const why = 'which is no longer in the sheet, or came without its manifest'
        problems.push(fault('incomplete', `it does not list ${variant.key}, ${why}`))
      }
      if (name) listed.delete(`${name.cue}/${name.variant}`)
    }
    for (const name of listed.keys()) problems.push(fault('invalid', `it lists ${name}, which is not there`))
    return problems
  } catch (error) {
    return [fault('invalid', messageOf(error))]
  }
}

/** A page is there with all that it asks for. Which release wrote it does not matter. */
function pageProblems({ prefix, pageNames }: TreeVersion): readonly VerifyProblem[] {
  if (!pageNames.includes(PAGE_ROOT)) return []
  return PAGE_NAMES.filter((name) => !pageNames.includes(name)).map((name) => ({
    where: 'disk',
    key: `${prefix}/${name}`,
    code: 'missing',
    message: `${PAGE_ROOT} asks for it ("pregen gallery" writes it)`,
  }))
}

interface ComparedVersion {
  readonly storage: Storage
  readonly inside: Confinement
  readonly version: TreeVersion
  readonly isShard: boolean
}

/** @returns objects compared */
async function compareBucket(
  { storage, inside, version, isShard }: ComparedVersion,
  problems: VerifyProblem[],
): Promise<number> {
  const stored = new Map<string, StoredObject>()
  const onIgnored = (key: string) =>
    problems.push({
      where: 'bucket',
      key: printable(key.slice(0, 1024)),
      code: 'unexpected',
      message: `${storage.description} holds it, and pregen would not name an object so`,
    })
  for await (const object of storage.list(`${version.prefix}/`, { onIgnored })) {
    // What the bucket says of its units is judged by runs.
    if (parseRecordKey(version.prefix, object.key) === null) stored.set(object.key, object)
  }
  const expected = version.variants.flatMap(({ key, files }) => files.map((file) => `${key}/${file.name}`))
  const manifestKey = `${version.prefix}/${MANIFEST_NAME}`
  if (version.manifestPath !== null) expected.push(manifestKey)
  expected.push(...version.pageNames.map((name) => `${version.prefix}/${name}`))
  const tell = (key: string, code: VerifyProblem['code'], message: string) =>
    problems.push({ where: 'bucket', key, code, message })
  for (const key of expected) {
    const object = stored.get(key)
    stored.delete(key)
    if (!object) tell(key, 'missing', `it is not in ${storage.description}`)
    else if (isShard && key === manifestKey) {
      for (const name of await linesLacking(storage, inside, key)) {
        tell(key, 'differs', `the copy in ${storage.description} lacks this shard's line of ${name}`)
      }
    } else if (!(await isSame(storage, object, inside))) {
      tell(key, 'differs', `the copy in ${storage.description} is another`)
    }
  }
  // What a shard does not know is another's.
  for (const key of isShard ? [] : stored.keys())
    tell(key, 'unexpected', `${storage.description} holds it, the disk does not`)
  return expected.length
}

/** Lines of a shard's manifest that the store's, which is of all shards, does not have. */
async function linesLacking(storage: Storage, inside: Confinement, key: string): Promise<readonly string[]> {
  const copy = await storage.get(key)
  const place = `${storage.description}/${key}`
  const there = copy === null ? [] : parseManifest(Buffer.from(copy).toString('utf8'), place).assets
  const path = pathOfKey(inside.out, key)
  const lines = new Map(there.map((asset) => [`${asset.cue}/${asset.variant}`, asset.metadata.sha256]))
  return parseManifest(await readManifest(inside, path), path)
    .assets.filter(({ cue, variant, metadata }) => lines.get(`${cue}/${variant}`) !== metadata.sha256)
    .map(({ cue, variant }) => `${cue}/${variant}`)
}

async function isSame(storage: Storage, object: StoredObject, inside: Confinement): Promise<boolean> {
  const { bytes } = await readFileInside(inside, pathOfKey(inside.out, object.key), PICTURE_BYTES)
  if (bytes.byteLength !== object.sizeBytes) return false
  if (object.md5 !== null) return object.md5 === createHash('md5').update(bytes).digest('hex')
  // A store that tells no MD5 must give the object itself.
  const copy = await storage.get(object.key, { maxBytes: bytes.byteLength })
  return copy !== null && Buffer.compare(copy, bytes) === 0
}

async function readManifest(inside: Confinement, path: string): Promise<string> {
  return (await readFileInside(inside, path, MANIFEST_BYTES)).bytes.toString('utf8')
}
