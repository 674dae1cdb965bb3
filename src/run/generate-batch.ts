/** One batch on one device: asked for, followed, and what became of it. */
import { isDeath, type OpenedModel } from '../engine/device.ts'
import type { DrawnPicture, EncodedPrompt } from '../engine/inference-calls.ts'
import { PregenError } from '../errors.ts'
import { promptJobOf } from './prompt-key.ts'
import type { UnitLife } from './unit-life.ts'
import type { WarmUp } from './warm-up.ts'

/** What became of a batch on a device. */
export type BatchOutcome =
  | { readonly type: 'pictures'; readonly pictures: readonly DrawnPicture[] }
  | { readonly type: 'cancelled' }
  | { readonly type: 'died'; readonly death: PregenError }
  | { readonly type: 'failed'; readonly reason: unknown }

/** What ends drawing: `stopping` before the next step, `ending` before the next picture. */
interface Ends {
  readonly stopping: AbortSignal
  readonly ending: AbortSignal
}

/** Draws a batch and passes on what the device tells of it. Never rejects. */
export async function generateBatch(
  opened: OpenedModel,
  batch: readonly UnitLife[],
  { stopping, ending, warmUp }: Ends & { readonly warmUp: WarmUp },
): Promise<BatchOutcome> {
  if (ending.aborted) return { type: 'cancelled' }
  const lives = new Map(batch.map((life) => [life.entry.index, life]))
  const jobs = batch.map((life) => life.job())
  try {
    await warmUp(jobs, ending)
    if (ending.aborted) return { type: 'cancelled' }
    const { pictures } = await opened.call(
      'generate',
      { jobs },
      {
        signal: stopping,
        // What waits behind another picture is not in hand; the device alone knows what it has begun.
        unbegun: ending,
        onNotice: (notice) => lives.get(notice.unit)?.takeNotice(notice, opened.device),
      },
    )
    return { type: 'pictures', pictures }
  } catch (error) {
    if (isDeath(error)) return stopping.aborted ? { type: 'cancelled' } : { type: 'died', death: error }
    if (error instanceof PregenError && error.code === 'E_CANCELLED') return { type: 'cancelled' }
    return { type: 'failed', reason: error }
  }
}

/** The time that encoding a prompt set took, which goes to the first unit that needs it. */
export interface PromptTimes {
  readonly claim: (life: UnitLife) => number
  readonly add: (prompts: Iterable<EncodedPrompt>) => void
  readonly drop: (keys: Iterable<string>) => void
}

export function promptTimes(prompts: ReadonlyMap<string, EncodedPrompt>): PromptTimes {
  const unclaimed = new Map<string, number>()
  const add = (more: Iterable<EncodedPrompt>) => {
    for (const { key, durationMs } of more) unclaimed.set(key, durationMs)
  }
  add(prompts.values())
  return {
    claim({ entry }) {
      const { key } = promptJobOf(entry.unit)
      const durationMs = unclaimed.get(key) ?? 0
      unclaimed.delete(key)
      return durationMs
    },
    add,
    drop(keys) {
      for (const key of keys) unclaimed.delete(key)
    },
  }
}
