/** Names in Redis, and what tells jobs apart. Pure. */
import { hash } from 'node:crypto'
import type { PreparedModel } from '../run/prepared.ts'

/** What stands before every key, unless the address of the queue names another. */
export const DEFAULT_PREFIX = 'pregen'

/** A sheet's last job, which waits for all others of it. */
export const ENDS_QUEUE = 'ends'

/** One queue a model, so that a machine draws what it can load, and rarely changes. */
export function unitsQueue(model: string): string {
  return `units-${model}`
}

/** What a machine must load for a unit: 32 hex digits. */
export function modelKey({ facts, pipeline, variant, previewDecoder }: PreparedModel): string {
  return short([facts.fingerprint, pipeline ?? null, variant ?? null, previewDecoder ?? null])
}

/** The same text, files of rows and version are the same sheet: 32 hex digits. */
export function sheetId(version: string, text: string, rows: Readonly<Record<string, string>>): string {
  return short([version, text, Object.entries(rows).sort()])
}

/** The same units of the same sheet are one job, however often they are put into the queue. */
export function unitJobId(sheet: string, units: readonly (readonly [number, string])[]): string {
  // BullMQ takes no id that is a number, which 32 hex digits may be.
  return `u${short([sheet, units])}`
}

export function endJobId(sheet: string): string {
  return `end-${sheet}`
}

export interface Keys {
  /** Ids of all sheets, by when they were last put in. */
  readonly sheets: string
  /** Keys of all models that units wait for → what people call them. */
  readonly models: string
  /** What is known of a sheet. */
  readonly sheet: (id: string) => string
  /** Its units: place in the sheet → digest and model. */
  readonly units: (id: string) => string
}

export function keysOf(prefix: string): Keys {
  return {
    sheets: `${prefix}:sheets`,
    models: `${prefix}:models`,
    sheet: (id) => `${prefix}:sheet:${id}`,
    units: (id) => `${prefix}:sheet:${id}:units`,
  }
}

function short(value: unknown): string {
  return hash('sha256', JSON.stringify(value)).slice(0, 32)
}
