/** Sheets in the queue: each once, however many jobs are of it. */
import { PregenError } from '../errors.ts'
import type { QueueClient } from './connect.ts'
import {
  encodeWanted,
  isSheetState,
  parseSheetHead,
  parseSheetRecord,
  parseWanted,
  type SheetHead,
  type SheetRecord,
  type SheetState,
  type WantedUnit,
} from './job.ts'

export interface SheetStanding {
  readonly state: SheetState
  /** Units that its bucket held whole at its last end, and those that it did not. */
  readonly whole: number | null
  readonly missing: number | null
  /** ISO 8601. */
  readonly ended: string | null
  /** The end whose callback was delivered. */
  readonly called: string | null
}

/** Fields written in one command, at most. */
const CHUNK = 5000

export interface SheetToKeep {
  readonly record: SheetRecord
  /** By the unit's index. */
  readonly wanted: ReadonlyMap<number, WantedUnit>
  /** Names of models, by their fingerprints. */
  readonly models: Readonly<Record<string, string>>
}

/** Keeps the sheet, and what is wanted of it beside what was wanted before. */
export async function saveSheet(
  { redis, keys }: QueueClient,
  id: string,
  { record, wanted, models }: SheetToKeep,
): Promise<void> {
  const fields = [...wanted].map(([index, unit]): [string, string] => [String(index), encodeWanted(unit)])
  for (let from = 0; from < fields.length; from += CHUNK)
    await redis.hset(keys.units(id), Object.fromEntries(fields.slice(from, from + CHUNK)))
  if (Object.keys(models).length > 0) await redis.hset(keys.models, models)
  const { name, version, submitted } = record
  await redis.hset(keys.sheet(id), {
    record: JSON.stringify(record),
    head: JSON.stringify({ name, version, submitted } satisfies SheetHead),
    state: 'queued' satisfies SheetState,
  })
  await redis.zadd(keys.sheets, Date.now(), id)
}

/** @throws PregenError `E_QUEUE_SHEET`, `E_QUEUE_JOB` */
export async function readSheetRecord({ redis, keys }: QueueClient, id: string): Promise<SheetRecord> {
  const text = await redis.hget(keys.sheet(id), 'record')
  if (text !== null) return parseSheetRecord(text)
  throw new PregenError('E_QUEUE_SHEET', `The queue has no sheet ${id}.`, {
    help: 'Put it in again with "pregen enqueue".',
    exitCode: 3,
  })
}

/** As it was put in; a release before this one kept the record alone. @throws PregenError `E_QUEUE_SHEET`, `E_QUEUE_JOB` */
export async function readSheetHead(client: QueueClient, id: string): Promise<SheetHead> {
  const text = await client.redis.hget(client.keys.sheet(id), 'head')
  return text === null ? await readSheetRecord(client, id) : parseSheetHead(text)
}

/** Units that are wanted of a sheet. */
export async function countWanted({ redis, keys }: QueueClient, id: string): Promise<number> {
  return await redis.hlen(keys.units(id))
}

export async function readWanted(
  { redis, keys }: QueueClient,
  id: string,
): Promise<ReadonlyMap<number, WantedUnit>> {
  const wanted = new Map<number, WantedUnit>()
  let cursor = '0'
  do {
    const [next, pairs] = await redis.hscan(keys.units(id), cursor, 'COUNT', String(CHUNK))
    for (let at = 0; at + 1 < pairs.length; at += 2)
      wanted.set(Number(String(pairs[at])), parseWanted(String(pairs[at + 1])))
    cursor = next
  } while (cursor !== '0')
  return new Map([...wanted].sort(([a], [b]) => a - b))
}

export async function readStanding({ redis, keys }: QueueClient, id: string): Promise<SheetStanding | null> {
  const names = ['state', 'whole', 'missing', 'ended', 'called'] as const
  const [state, whole, missing, ended = null, called = null] = await redis.hmget(keys.sheet(id), ...names)
  if (!isSheetState(state)) return null
  const count = (text: string | null | undefined) => (text == null ? null : Number(text))
  return { state, whole: count(whole), missing: count(missing), ended, called }
}

export async function writeStanding(
  { redis, keys }: QueueClient,
  id: string,
  fields: Partial<Readonly<Record<'state' | 'whole' | 'missing' | 'ended' | 'called', string | number>>>,
): Promise<void> {
  await redis.hset(keys.sheet(id), fields)
}

/** All sheets, the newest last. */
export async function listSheets({ redis, keys }: QueueClient): Promise<readonly string[]> {
  return await redis.zrange(keys.sheets, '0', '-1')
}

export async function forgetSheet({ redis, keys }: QueueClient, id: string): Promise<void> {
  await redis.del(keys.units(id), keys.sheet(id))
  await redis.zrem(keys.sheets, id)
}
