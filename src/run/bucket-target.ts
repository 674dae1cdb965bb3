/**
 * Which bucket a finished tree belongs to, so that `pregen upload DIR` needs no sheet: each run leaves its sheet's
 * `storage` in `<out>/.pregen/storage.json`. It holds no secret; credentials come from the environment.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { createStateLayout } from '../artifacts/layout.ts'
import { readCueSheet } from '../cue-sheet/read.ts'
import type { SheetStorage } from '../cue-sheet/sheet.ts'
import { errorCode, PregenError } from '../errors.ts'
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
): Promise<void> {
  if (storage === null) return
  const path = pathOf(out)
  await mkdir(dirname(path), { recursive: true })
  await writeFileDurably(
    path,
    Buffer.from(`${JSON.stringify(shard === null ? storage : { ...storage, shard }, null, 2)}\n`),
  )
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
  const recalled = await recallBucket(out)
  return recalled !== null && 'shard' in recalled
}

async function recallBucket(out: string): Promise<SheetStorage | null> {
  try {
    const value: unknown = JSON.parse(await readFile(pathOf(out), 'utf8'))
    if (isStorage(value)) return value
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new PregenError('E_NO_BUCKET', `${pathOf(out)} cannot be understood.`, {
    help: 'Remove it, and name the sheet with --sheet.',
  })
}

function isStorage(value: unknown): value is SheetStorage {
  return (
    typeof value === 'object' &&
    value !== null &&
    'bucket' in value &&
    typeof value.bucket === 'string' &&
    'prefix' in value &&
    typeof value.prefix === 'string' &&
    'concurrency' in value &&
    typeof value.concurrency === 'number'
  )
}
