/**
 * What this process and a worker process say to each other: calls with answers, one after the other; notices while a
 * call is in work; receipts for notices whose data must not pile up. Everything is plain data.
 */
import type { WireError } from './wire-error.ts'

/** What one call takes and gives, and what is told while it is in work. */
export interface Procedure {
  readonly input: unknown
  readonly output: unknown
  readonly notice: unknown
}

/** The calls that a kind of worker answers, by name. */
export type Procedures<P> = { readonly [Name in keyof P]: Procedure }

/** What a worker process has cost so far. */
export interface WorkerFigures {
  /** Milliseconds inside `session.run`, previews' decoding included where it shares the session. */
  readonly sessionRunMs: number
  readonly peakRssBytes: number
}

export type ToWorker =
  /** First of all: what the worker is for, and the descriptor of its side file. */
  | { readonly kind: 'start'; readonly data: unknown; readonly sideFile: number | null }
  | { readonly kind: 'call'; readonly id: number; readonly name: string; readonly input: unknown }
  /** The call need not be finished; it is answered all the same. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** The call need not be begun; one that is in work is finished. */
  | { readonly kind: 'drop'; readonly id: number }
  /** So many handed-out notices are dealt with. */
  | { readonly kind: 'receipt'; readonly count: number }

/** Handed-out notices that may wait for a receipt before their sender waits. */
export const MAX_WITHOUT_RECEIPT = 8

/** A receipt is sent for so many at once: reading one costs the worker time between two steps. */
export const RECEIPT_FOR = MAX_WITHOUT_RECEIPT / 2

export type FromWorker =
  | {
      readonly kind: 'answer'
      readonly id: number
      readonly output: unknown
      readonly figures: WorkerFigures
    }
  | {
      readonly kind: 'fault'
      readonly id: number
      readonly error: WireError
      readonly figures: WorkerFigures
    }
  | {
      readonly kind: 'notices'
      readonly id: number
      readonly notices: readonly unknown[]
      /** Whether each of them wants one. */
      readonly wantReceipts: boolean
    }
