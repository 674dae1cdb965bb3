/** Puts the units of a sheet that its bucket does not hold whole into the queue, and behind them the sheet's end. */
import { randomBytes } from 'node:crypto'
import { basename, dirname, extname, resolve } from 'node:path'
import type { FlowNestedLeafJob } from 'bullmq'
import { FILMS_FOLDER } from '../artifacts/file-names.ts'
import { findRowFiles } from '../cue-sheet/parse.ts'
import { MAX_ROW_FILE_BYTES } from '../cue-sheet/row-file.ts'
import { PregenError } from '../errors.ts'
import { readRegularFile } from '../files/read-regular-file.ts'
import { groupIntoBatches } from '../plan/batches.ts'
import { unitName } from '../plan/unit.ts'
import { groupBy } from '../run/group-by.ts'
import { closingAfter, openBucket, policyOf } from '../run/open-bucket.ts'
import type { SelectOptions } from '../run/options.ts'
import { prepareRun } from '../run/prepare.ts'
import type { PreparedRun, PreparedUnit, PrepareWarning } from '../run/prepared.ts'
import { findInBucket } from '../run/whole-in-bucket.ts'
import type { Storage } from '../storage/storage.ts'
import type { QueueClient } from './connect.ts'
import { type EndJob, MAX_JOB_UNITS, type SheetRecord, type UnitJob, type WantedUnit } from './job.ts'
import { ENDS_QUEUE, endJobId, modelKey, sheetId, unitJobId, unitsQueue } from './names.ts'
import { readStanding, saveSheet } from './sheet-store.ts'

export interface EnqueueOptions extends SelectOptions {
  readonly sheetBytes: Uint8Array
  /** 1, the first, to 2,097,151. */
  readonly priority: number
  readonly warn: (warning: PrepareWarning) => void
  readonly signal: AbortSignal
}

export interface Enqueued {
  readonly sheet: string
  readonly version: string
  /** Units that are meant. */
  readonly units: number
  /** That the bucket holds whole. */
  readonly whole: number
  /** Jobs that were put in, and those that were there already. */
  readonly jobs: number
  readonly known: number
}

/** Tries of a unit: on different machines, where there are several. */
const TRIES = 3
const END_TRIES = 8
const BACKOFF_MS = 2000

/** Asked and added at once. */
const CHUNK = 1000

/**
 * Asks the bucket once, by listing, and the queue which of the jobs it has.
 * @throws PregenErrors as `prepareRun` has them; `E_QUEUE_NO_BUCKET` for a sheet without `storage`
 */
export async function enqueueSheet(client: QueueClient, options: EnqueueOptions): Promise<Enqueued> {
  const prepared = await prepareRun({ ...options, shard: options.shard ?? '1/1' })
  for (const warning of prepared.warnings) options.warn(warning)
  const missing = await missingUnits(prepared, options)
  const record = await recordOf(prepared, options)
  const sheet = sheetId(record.version, record.text, record.rows)
  const queueOf = new Map([...prepared.models].map(([id, model]) => [id, modelKey(model)]))
  const modelOf = ({ unit }: PreparedUnit) => queueOf.get(unit.model) ?? ''
  const wanted = new Map(
    prepared.units.map((entry): [number, WantedUnit] => [
      entry.index,
      { digest: entry.digest, model: modelOf(entry) },
    ]),
  )
  const jobs = jobsOf(sheet, missing, modelOf, options)
  const counts = { sheet, version: prepared.version, units: prepared.units.length }
  const whole = prepared.units.length - missing.length
  const standing = await readStanding(client, sheet)
  // What is done needs no second end.
  if (jobs.length === 0 && standing?.state === 'done') return { ...counts, whole, jobs: 0, known: 0 }
  const names = Object.fromEntries([...queueOf].map(([id, key]) => [key, id]))
  await saveSheet(client, sheet, { record, wanted, models: names })
  const known = await addFlow(client, sheet, jobs)
  return { ...counts, whole, jobs: jobs.length - known, known }
}

/** Workers make the films of what they draw and can send: of what is whole already, and of numbered pictures, nobody does. */
async function warnOfFilms(
  { units, version }: PreparedRun,
  whole: readonly PreparedUnit[],
  { storage, warn }: Pick<EnqueueOptions, 'warn'> & { readonly storage: Storage },
): Promise<void> {
  const folder = `${FILMS_FOLDER}/${version}/`
  const there = new Set<string>()
  if (whole.some(({ unit }) => unit.film)) {
    for await (const { key } of storage.list(folder))
      there.add(key.slice(folder.length, key.length - extname(key).length))
  }
  const isWanted = ({ unit }: PreparedUnit) => unit.film?.format === 'frames'
  const isMissed = ({ unit }: PreparedUnit) => unit.film !== undefined && !there.has(unitName(unit))
  const nobodys = new Set([...units.filter(isWanted), ...whole.filter(isMissed)])
  const [first] = nobodys
  if (first === undefined) return
  const message = `Workers make the films of the units that they draw, as files: ${nobodys.size} of the units are whole without one, or ask for numbered pictures (${unitName(first.unit)} first). Make these with "pregen film" from a folder that has the pictures (pregen run --pull).`
  warn({ code: 'W_QUEUE_FILM', message })
}

async function missingUnits(
  prepared: PreparedRun,
  options: EnqueueOptions,
): Promise<readonly PreparedUnit[]> {
  const { storage: settings } = prepared.sheet
  if (settings === null) throw noBucket()
  const all = prepared.units.map((entry) => ({ entry, action: 'run', reason: 'new', refreshed: [] }) as const)
  if (options.force) return prepared.units
  const { concurrency } = settings
  const storage = await openBucket(settings, { concurrency, ...policyOf(options) })
  try {
    const how = { signal: options.signal, isToSend: true }
    const { decisions, warnings } = await closingAfter(storage, () =>
      findInBucket(prepared, all, storage, how),
    )
    for (const warning of warnings) options.warn(warning)
    const whole = decisions.flatMap(({ action, entry }) => (action === 'run' ? [] : [entry]))
    await warnOfFilms(prepared, whole, { storage, warn: options.warn })
    return decisions.flatMap(({ action, entry }) => (action === 'run' ? [entry] : []))
  } finally {
    await storage.close()
  }
}

export function noBucket(): PregenError {
  return new PregenError(
    'E_QUEUE_NO_BUCKET',
    'The sheet names no bucket: machines have no other place in common.',
    {
      help: 'Add `storage` to the sheet (docs/storage.md), or draw it on one machine with "pregen run".',
    },
  )
}

async function recordOf(prepared: PreparedRun, options: EnqueueOptions): Promise<SheetRecord> {
  const { sheetPath, sheetBytes, env } = options
  const rows: Record<string, string> = {}
  const folder = dirname(resolve(sheetPath))
  for (const name of findRowFiles(sheetBytes, { file: sheetPath, env })) {
    const bytes = await readRegularFile(resolve(folder, name), { maxBytes: MAX_ROW_FILE_BYTES })
    rows[name] = Buffer.from(bytes).toString('utf8')
  }
  return {
    v: 1,
    name: basename(sheetPath),
    text: Buffer.from(sheetBytes).toString('utf8'),
    rows,
    version: prepared.version,
    submitted: new Date().toISOString(),
  }
}

/** In the order of the sheet, its models one after the other. */
function jobsOf(
  sheet: string,
  missing: readonly PreparedUnit[],
  modelOf: (entry: PreparedUnit) => string,
  { priority, force }: Pick<EnqueueOptions, 'priority' | 'force'>,
): readonly FlowNestedLeafJob[] {
  const ofModels = [...groupBy(missing, ({ unit }) => unit.model).values()]
  const batches = ofModels.flatMap((own) => groupIntoBatches(own, () => 0)).flatMap(small)
  return batches.map((batch) => {
    const units = batch.map(({ index, digest }): [number, string] => [index, digest])
    const data: UnitJob = { v: 1, sheet, units, ...(force ? { force } : {}) }
    return {
      name: 'units',
      queueName: unitsQueue(modelOf(batch[0]!)),
      data,
      opts: {
        ...{ jobId: unitJobId(sheet, units), priority, attempts: TRIES },
        backoff: { type: 'exponential', delay: BACKOFF_MS },
        // The sheet ends without a unit that was given up.
        ...{ ignoreDependencyOnFailure: true, removeOnComplete: true, stackTraceLimit: 0 },
      },
    }
  })
}

function small<T>(batch: readonly T[]): T[][] {
  const count = Math.ceil(batch.length / MAX_JOB_UNITS)
  return Array.from({ length: count }, (_, part) =>
    batch.slice(part * MAX_JOB_UNITS, (part + 1) * MAX_JOB_UNITS),
  )
}

/** @returns how many of the jobs were in the queue already */
export async function addFlow(
  client: QueueClient,
  sheet: string,
  children: readonly FlowNestedLeafJob[],
): Promise<number> {
  const { bull, options } = client
  const known = await dropFailed(client, children)
  const ends = new bull.Queue(ENDS_QUEUE, options)
  const flows = new bull.FlowProducer(options)
  try {
    const end = await ends.getJob(endJobId(sheet))
    // An end that was given up, or is over, makes room for the next one.
    if (end && ((await end.isFailed()) || (await end.isCompleted()))) await end.remove()
    const data: EndJob = { v: 1, sheet, round: randomBytes(8).toString('hex') }
    const root = {
      name: 'end',
      queueName: ENDS_QUEUE,
      data,
      opts: {
        ...{ jobId: endJobId(sheet), attempts: END_TRIES, removeOnComplete: true },
        backoff: { type: 'exponential', delay: BACKOFF_MS },
      },
    }
    await flows.add(children.length === 0 ? root : { ...root, children: [...children] })
    return known
  } finally {
    await flows.close()
    await ends.close()
  }
}

/** Jobs that were given up begin anew. @returns how many of the others there are */
async function dropFailed(client: QueueClient, children: readonly FlowNestedLeafJob[]): Promise<number> {
  const { bull, options, redis, prefix } = client
  let known = 0
  for (const [name, own] of groupBy(children, ({ queueName }) => queueName)) {
    const queue = new bull.Queue(name, options)
    try {
      for (let from = 0; from < own.length; from += CHUNK) {
        const ids = own.slice(from, from + CHUNK).map(({ opts }) => opts?.jobId ?? '')
        const asked = redis.pipeline()
        for (const id of ids) {
          asked.exists(`${prefix}:${name}:${id}`)
          asked.zscore(`${prefix}:${name}:failed`, id)
        }
        const answers = (await asked.exec()) ?? []
        for (const [place, id] of ids.entries()) {
          const isThere = answers[place * 2]?.[1] === 1
          const hasFailed = answers[place * 2 + 1]?.[1] !== null
          if (isThere && hasFailed) await queue.remove(id)
          else if (isThere) known++
        }
      }
    } finally {
      await queue.close()
    }
  }
  return known
}
