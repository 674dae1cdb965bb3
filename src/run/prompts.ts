/** The encoded prompts of a model where it is loaded: all before the first picture, or as units come from a queue. */
import type { OpenedModel } from '../engine/device.ts'
import type { EncodedPrompt } from '../engine/inference-calls.ts'
import { familyOf } from '../families/index.ts'
import { nameUnits } from './check-prompts.ts'
import type { PreparedModel, PreparedUnit, PrepareWarning } from './prepared.ts'
import { promptJobOf } from './prompt-key.ts'
import type { Texts } from './shared-texts.ts'
import type { UnitLife } from './unit-life.ts'

// Encoded prompts that are kept for units still to come.
const KEPT_PROMPTS = 64

export function startsFromPicture({ unit: { image, images, video } }: PreparedUnit): boolean {
  return (image ?? images ?? video) !== undefined
}

/** The encoded prompts of a model where it is loaded. */
export interface Prompts {
  readonly known: ReadonlyMap<string, EncodedPrompt>
  readonly claimMs: (life: UnitLife) => number
  /** Sees to the prompts, and whatever else is not loaded yet, of units that nobody knew of before. */
  readonly ready: (batch: readonly PreparedUnit[]) => Promise<void>
}

export interface PromptWork {
  readonly model: PreparedModel
  /** All units of the model; of a feed none. */
  readonly units: readonly PreparedUnit[]
  /** Whether others come. */
  readonly isFed: boolean
  /** Keys of the prompts of units in work. */
  readonly inUse: () => ReadonlySet<string>
  readonly warn: (warning: PrepareWarning) => void
  readonly signal: AbortSignal
}

/** @param texts those of the units that are known from the beginning */
export function createPrompts(work: PromptWork, opened: OpenedModel, { prompts, times }: Texts): Prompts {
  const { signal, warn } = work
  const known = new Map(prompts.map((prompt) => [prompt.key, prompt]))
  let hasVaeEncoder = work.units.some(startsFromPicture)
  const ready = async (batch: readonly PreparedUnit[]): Promise<void> => {
    const jobs = new Map(batch.map(({ unit }) => promptJobOf(unit)).map((job) => [job.key, job]))
    const missing = [...jobs.values()].filter(({ key }) => !known.has(key))
    if (missing.length > 0) {
      const text = await opened.call('encode', { prompts: missing, keepEncoders: true }, { signal })
      for (const warning of promptWarnings({ ...work, units: batch }, text.prompts)) warn(warning)
      for (const prompt of text.prompts) known.set(prompt.key, prompt)
      times.add(text.prompts)
    }
    if (!hasVaeEncoder && batch.some(startsFromPicture)) {
      await opened.call('load-denoiser', { withVaeEncoder: true })
      hasVaeEncoder = true
    }
    await forget()
  }
  /** The oldest, but for those of units in work. */
  const forget = async (): Promise<void> => {
    if (known.size <= KEPT_PROMPTS * 2) return
    const inUse = work.inUse()
    const old = [...known.keys()].filter((key) => !inUse.has(key)).slice(0, known.size - KEPT_PROMPTS)
    for (const key of old) known.delete(key)
    times.drop(old)
    await opened.call('forget', { keys: old })
  }
  return { known, claimMs: times.claim, ready: work.isFed ? ready : async () => undefined }
}

/** Each names the units that it is of. What is cut off has been told with the plan, where the family's facts say how. */
export function promptWarnings(
  { model, units }: Pick<PromptWork, 'model' | 'units'>,
  prompts: readonly EncodedPrompt[],
): PrepareWarning[] {
  const isTold = familyOf(model.facts.family).cuts !== undefined
  return prompts.flatMap(({ key, warnings }) => {
    const news = warnings.filter(({ code }) => !(isTold && code === 'W_PROMPT_TRUNCATED'))
    if (news.length === 0) return []
    const names = nameUnits(units.flatMap(({ unit }) => (promptJobOf(unit).key === key ? [unit] : [])))
    return news.map(({ code, message }) => ({ code, message: `${names}: ${message}` }))
  })
}
