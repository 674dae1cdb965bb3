/**
 * Which bucket a finished tree belongs to, so that `pregen upload DIR` needs no sheet: each run leaves its sheet's
 * `storage` in `<out>/.pregen/storage.json`. It holds no secret; credentials come from the environment.
 */
import { join } from 'node:path'
import { readFileInside, SMALL_BYTES } from '../artifacts/confined-files.ts'
import { PRIVATE_FILE } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { createStateLayout, isKey, pathOfKey } from '../artifacts/layout.ts'
import type { Origin } from '../artifacts/origin.ts'
import { asWritten } from '../artifacts/read-back.ts'
import { makeStateFolder } from '../artifacts/state-folder.ts'
import { readCueSheet } from '../cue-sheet/read.ts'
import type { SheetStorage } from '../cue-sheet/sheet.ts'
import { errorCode, PregenError } from '../errors.ts'
import { printable } from '../printable.ts'
import { z } from '../zod.ts'
import type { ReadSheetOptions } from './options.ts'

const pathOf = (out: string) => join(createStateLayout(out).folder, 'storage.json')

/**
 * Leaves the sheet's storage beside the ledger; without one, what an earlier run left stays.
 * @param shard `2/5` where the run is one of several: the bucket's manifest is then not this folder's alone
 */
export async function rememberBucket(
  out: string,
  storage: SheetStorage | null,
  shard: string | null = null,
  origin?: Origin,
): Promise<void> {
  if (storage === null) return
  const path = pathOf(out)
  const record = shard === null ? storage : { ...storage, shard }
  const marked = { ...record, mark: origin?.mark(JSON.stringify(record)) }
  await writeFileDurably(path, Buffer.from(`${JSON.stringify(marked, null, 2)}\n`), {
    inside: makeStateFolder(path),
    mode: PRIVATE_FILE,
  })
}

/**
 * Refuses a record that this user's own run did not write: it came with the folder, and where it leads is somebody
 * else's choice.
 * @throws PregenError `E_BUCKET_FOREIGN`, `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`
 */
export async function refuseForeignBucket(out: string, origin: Origin): Promise<void> {
  const recalled = await recall(out)
  if (recalled === null) return
  const { mark, ...record } = recalled
  if (origin.isOwn(JSON.stringify(record), mark)) return
  const named = JSON.stringify([record.bucket, ...(record.endpoint === undefined ? [] : [record.endpoint])])
  throw new PregenError(
    'E_BUCKET_FOREIGN',
    printable(
      `no run of yours on this machine wrote ${pathOf(out)}: the bucket in it, ${named}, is not used`,
    ),
    { help: 'Name the sheet with --sheet, or for "pregen upload" the bucket with --bucket and --endpoint.' },
  )
}

export interface BucketFlags {
  readonly bucket: string
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  readonly prefix?: string | undefined
}

/** A bucket that was named on the command line. @throws PregenError `E_BAD_BUCKET`, `E_PATH_ESCAPE` */
export function namedBucket({ bucket, endpoint, region, prefix = '' }: BucketFlags): SheetStorage {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(bucket)) {
    throw new PregenError('E_BAD_BUCKET', `--bucket is ${JSON.stringify(bucket)}.`, {
      help: 'A bucket has letters, digits, ".", "-" and "_". Folders inside it go into --prefix.',
    })
  }
  const trimmed = prefix.split('/').filter((part) => part !== '')
  if (trimmed.length > 0) pathOfKey('/', trimmed.join('/'))
  return {
    ...{ bucket, endpoint, region, prefix: trimmed.join('/') },
    ...{ concurrency: 16, publicUrl: undefined, forcePathStyle: undefined },
  }
}

/**
 * The bucket of a tree: the one that a sheet names, or the one that its last run left.
 * @throws PregenError `E_NO_BUCKET` when neither names one
 */
export async function findBucket(
  out: string,
  sheetPath: string | undefined,
  how: ReadSheetOptions,
): Promise<SheetStorage> {
  const storage =
    sheetPath === undefined ? await recallBucket(out) : (await readCueSheet(sheetPath, how)).storage
  if (storage) return storage
  throw new PregenError('E_NO_BUCKET', `No bucket is known for ${out}.`, {
    help: 'Name the sheet with --sheet; its `storage` says which bucket (docs/storage.md).',
  })
}

/** Whether the folder's last run was a shard. */
export async function isShardFolder(out: string): Promise<boolean> {
  return (await recall(out))?.shard !== undefined
}

async function recallBucket(out: string): Promise<SheetStorage | null> {
  const recalled = await recall(out)
  if (recalled === null) return null
  const { bucket, prefix, concurrency, endpoint, region, publicUrl, forcePathStyle } = recalled
  return { bucket, prefix, concurrency, endpoint, region, publicUrl, forcePathStyle }
}

async function recall(out: string): Promise<Recalled | null> {
  try {
    const { bytes } = await readFileInside(confine(out), pathOf(out), SMALL_BYTES)
    const { data } = asWritten(recalledSchema, JSON.parse(bytes.toString('utf8')))
    if (data) return data
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new PregenError('E_NO_BUCKET', `${pathOf(out)} cannot be understood.`, {
    help: 'Remove it, and name the sheet with --sheet.',
  })
}

const recalledSchema = z.strictObject({
  bucket: z.string(),
  prefix: z.string().refine((prefix) => prefix === '' || isKey(prefix)),
  concurrency: z.int().min(1).max(256),
  endpoint: z.string().optional(),
  region: z.string().optional(),
  publicUrl: z.string().optional(),
  forcePathStyle: z.boolean().optional(),
  shard: z.string().optional(),
  mark: z.string().optional(),
})

type Recalled = z.infer<typeof recalledSchema>
