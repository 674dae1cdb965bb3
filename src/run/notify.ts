/** The sheet's `callback`: tells another program what is whole. Whatever becomes of it, the run is not touched. */

import pLimit from 'p-limit'
import type { ManifestAsset } from '../artifacts/manifest.ts'
import type { SheetCallback } from '../cue-sheet/sheet.ts'
import { postJson } from '../net/post-json.ts'
import { plural } from '../printable.ts'
import type { EmitRunEvent } from './events.ts'

export interface CallbackBody {
  readonly job_id: string
  /** `partial`: some units or uploads failed, or a unit lacks a step picture. */
  readonly status: 'completed' | 'partial' | 'failed'
  readonly assets: readonly ManifestAsset[]
  readonly metadata: {
    /** Seconds spent on drawing the assets. */
    readonly generation_time: number
    readonly job_type: 'text_to_image' | 'image_to_image' | 'mixed'
    /** What all assets have in common, or `mixed`. */
    readonly reference_mode: string
  }
}

export interface Notifier {
  /** @returns whether it was delivered; never rejects. The first failure is a warning at once; the others are counted. */
  readonly post: (
    jobId: string,
    status: CallbackBody['status'],
    assets: readonly ManifestAsset[],
    /** Sent as `Idempotency-Key`: the same call again has the same. */
    key?: string,
  ) => Promise<boolean>
  /** Tells in one warning how many more were not delivered. */
  readonly tellRest: () => void
}

export interface NotifierOptions {
  readonly callback: SheetCallback
  /** Key of the signature; undefined: unsigned. */
  readonly secret: string | undefined
  readonly allowPrivate: boolean
  readonly emit: EmitRunEvent
  readonly signal: AbortSignal
}

// A receiver that is slow must not be asked by a thousand units at once.
const POSTS_AT_ONCE = 4

const RETRY = { attempts: 5, timeoutMs: 10_000, baseDelayMs: 500, maxDelayMs: 8000 } as const

export function createNotifier({ callback, secret, allowPrivate, emit, signal }: NotifierOptions): Notifier {
  const limit = pLimit(POSTS_AT_ONCE)
  let failures = 0
  // A receiver that failed a whole round of tries gets one a post until it answers again.
  let isDown = false
  const warn = (message: string) => emit({ type: 'warning', code: 'W_CALLBACK_FAILED', message })
  return {
    async post(jobId, status, assets, key) {
      const body = callbackBody(callback.jobId ?? jobId, status, assets)
      const options = { ...RETRY, secret, allowPrivate, signal, key }
      const result = await limit(() =>
        postJson(callback.url, body, isDown ? { ...options, attempts: 1 } : options),
      )
      isDown = !result.ok && result.attempts > 0
      if (result.ok) return true
      failures++
      const tried = result.attempts === 0 ? '' : ` in ${plural(result.attempts, 'attempt')}`
      if (failures === 1) warn(`The callback was not delivered${tried}: ${withoutStop(result.reason)}.`)
      return false
    },
    tellRest() {
      if (failures > 1) warn(`${plural(failures - 1, 'more callback')} could not be delivered.`)
    },
  }
}

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '')
}

export function callbackBody(
  jobId: string,
  status: CallbackBody['status'],
  assets: readonly ManifestAsset[],
): CallbackBody {
  const seconds = assets.reduce((sum, { metadata }) => sum + metadata.generation_time, 0)
  const modes = new Set(assets.map(({ metadata }) => metadata.reference_mode))
  const mode = modes.size === 1 ? [...modes][0] : undefined
  return {
    job_id: jobId,
    status,
    assets,
    metadata: {
      generation_time: Math.round(seconds * 1000) / 1000,
      job_type: jobTypeOf(modes),
      reference_mode: mode ?? (modes.size === 0 ? 'none' : 'mixed'),
    },
  }
}

function jobTypeOf(modes: ReadonlySet<string>): CallbackBody['metadata']['job_type'] {
  if (!modes.has('none') && modes.size > 0) return 'image_to_image'
  return modes.size <= 1 ? 'text_to_image' : 'mixed'
}
