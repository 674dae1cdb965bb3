/** A sheet of the queue on this machine: read and judged as any sheet, its units by their places, its bucket open. */
import { join } from 'node:path'
import { type RowFile, readRows } from '../cue-sheet/row-file.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { pathsOfSheet, pathsOutside } from '../cue-sheet/sheet-paths.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import { createNotifier, type Notifier } from '../run/notify.ts'
import { openBucket, policyOf } from '../run/open-bucket.ts'
import { prepareRun } from '../run/prepare.ts'
import type { PreparedRun, PreparedUnit } from '../run/prepared.ts'
import type { Storage } from '../storage/storage.ts'
import { noBucket } from './enqueue.ts'
import type { SheetRecord } from './job.ts'
import type { Workplace } from './workplace.ts'

export interface SheetSession {
  readonly id: string
  readonly prepared: PreparedRun
  /** Units that this machine has the models of, by their places in the sheet. */
  readonly units: ReadonlyMap<number, PreparedUnit>
  /** Why models of the sheet are not to be had here. */
  readonly absent: readonly PregenError[]
  readonly storage: Storage
  /** null: the sheet has no callback for each unit. */
  readonly unitNotifier: Notifier | null
  readonly close: () => Promise<void>
}

/**
 * @throws PregenErrors with the sheet's faults; PregenError `E_QUEUE_PATH` where it leads out of this machine's folders,
 *   `E_QUEUE_BUCKET` for a bucket that is not this worker's
 */
export async function openSheetSession(
  id: string,
  record: SheetRecord,
  workplace: Workplace,
  signal: AbortSignal,
): Promise<SheetSession> {
  const { settings } = workplace
  const absent: PregenError[] = []
  const prepared = await prepareRun({
    ...settings,
    ...sheetSource(record, settings.sheetsFolder),
    versionId: record.version,
    // The queue deals the units out, whatever a batch system says.
    shard: '1/1',
    force: false,
    checkSheet: (sheet) => judge(sheet, workplace),
    onAbsentModel: (_, faults) => void absent.push(...faults),
    signal,
  })
  const { sheet } = prepared
  const storage = await openSheetBucket(sheet, workplace)
  const { callback } = sheet
  return {
    ...{ id, prepared, absent, storage },
    units: new Map(prepared.units.map((entry) => [entry.index, entry])),
    unitNotifier: callback?.on === 'unit' ? sheetNotifier(sheet, workplace, signal) : null,
    close: () => storage.close(),
  }
}

/** Where its relative paths start from: the folder of sheets, or one that holds nothing. */
export function sheetSource(record: SheetRecord, sheetsFolder: string | null) {
  const folder = sheetsFolder ?? '/nonexistent'
  return {
    sheetPath: join(folder, record.name.replaceAll('/', '_')),
    sheetBytes: new TextEncoder().encode(record.text),
    rowFiles: rowsOf(record),
  }
}

function rowsOf({ rows }: SheetRecord): ReadonlyMap<string, RowFile> {
  return new Map(
    Object.entries(rows).map(([file, text]) => [file, { file, rows: readRows(Buffer.from(text), file) }]),
  )
}

/** Before anything that the sheet names is opened. */
function judge(sheet: CueSheet, { settings }: Workplace): void {
  const { sheetsFolder, modelPlaces, bucket } = settings
  const paths = pathsOfSheet(sheet, new Set(Object.keys(modelPlaces)))
  const outside = pathsOutside(paths, sheetsFolder)
  if (outside.length > 0) {
    const below = sheetsFolder === null ? 'a folder of sheets' : sheetsFolder
    throw new PregenErrors(
      outside.slice(0, 50).map(
        (path) =>
          new PregenError('E_QUEUE_PATH', `${JSON.stringify(path)} is not below ${below}.`, {
            help: 'Name a folder with --sheets, or the model with --model id=folder.',
            exitCode: 3,
          }),
      ),
    )
  }
  if (sheet.storage === null) throw noBucket()
  if (bucket !== undefined && sheet.storage.bucket !== bucket) {
    const named = JSON.stringify(sheet.storage.bucket)
    throw new PregenError(
      'E_QUEUE_BUCKET',
      `The sheet names the bucket ${named}; this worker's is "${bucket}".`,
      {
        help: 'Send the sheet to the queue of another bucket, or start the worker with --bucket.',
        exitCode: 3,
      },
    )
  }
}

export async function openSheetBucket(sheet: CueSheet, { settings }: Workplace): Promise<Storage> {
  if (sheet.storage === null) throw noBucket()
  const concurrency = settings.concurrency ?? sheet.storage.concurrency
  return await openBucket(sheet.storage, { concurrency, ...policyOf(settings) })
}

/** @throws Error where the sheet has no callback */
export function sheetNotifier(sheet: CueSheet, { settings, emit }: Workplace, signal: AbortSignal): Notifier {
  const { callback } = sheet
  if (callback === null) throw new Error('a sheet without a callback notifies nobody')
  return createNotifier({
    callback,
    secret: settings.env[callback.secretEnv],
    allowPrivate: settings.allowPrivateUrls,
    emit,
    signal,
  })
}
