/** Loads a model on a device: its prompts are encoded there, or by another device of the run, then its denoiser is loaded. */
import type { OpenedModel } from '../engine/device.ts'
import type { PromptJob } from '../engine/inference-calls.ts'
import type { Drawing, ModelWork } from './drawing.ts'
import { promptJobOf } from './prompt-key.ts'
import { promptWarnings, startsFromPicture } from './prompts.ts'
import { type Texts, textsOf } from './shared-texts.ts'

export interface LoadedModel {
  readonly texts: Texts
  /** How many of them were encoded on this one. */
  readonly encoded: number
  /** Milliseconds. */
  readonly loadMs: number
}

/**
 * The device that comes first encodes the prompts for all; the others load their denoisers meanwhile, and never hold the text
 * encoders.
 * @returns null after a stop; `again` where the device that was to encode them could not, so that this one opens the model
 *   anew: encoders and denoiser at once may be too much for it
 */
export async function loadModel(
  drawing: Drawing,
  work: ModelWork,
  opened: OpenedModel,
): Promise<LoadedModel | 'again' | null> {
  const { sharedTexts } = work
  if (sharedTexts === null) return await encodeAndLoad(drawing, work, opened)
  const path = sharedTexts.begin()
  if (path !== null) return await encodeAndLoad(drawing, work, opened, path)
  const [denoiser, texts] = await Promise.all([loadDenoiser(work, opened), sharedTexts.ofAnother()])
  if (drawing.ending.aborted) return null
  if (texts === null) return 'again'
  const prompts = texts.prompts.flatMap(({ key, stored }) => (stored ? [{ key, stored }] : []))
  await opened.call('adopt', { prompts })
  return { texts, encoded: 0, loadMs: denoiser.loadMs }
}

/** @param storeIn where the other devices will read what is encoded */
async function encodeAndLoad(
  { services, ending: signal }: Drawing,
  work: ModelWork,
  opened: OpenedModel,
  storeIn?: string,
): Promise<LoadedModel | null> {
  const { feed, sharedTexts } = work
  const encoding = { prompts: promptsOf(work), keepEncoders: feed !== null, storeIn }
  let texts: Texts | null = null
  try {
    const { prompts, loadMs } = await opened.call('encode', encoding, { signal })
    for (const warning of promptWarnings(work, prompts)) services.warn(warning)
    if (signal.aborted) return null
    texts = textsOf(prompts)
    sharedTexts?.give(texts)
    const denoiser = await loadDenoiser(work, opened)
    return { texts, encoded: prompts.length, loadMs: loadMs + denoiser.loadMs }
  } finally {
    if (texts === null) sharedTexts?.giveUp()
  }
}

function loadDenoiser({ units }: ModelWork, opened: OpenedModel) {
  return opened.call('load-denoiser', { withVaeEncoder: units.some(startsFromPicture) })
}

/** Each once, in the order of the units. */
function promptsOf({ units }: ModelWork): readonly PromptJob[] {
  const jobs = new Map<string, PromptJob>()
  for (const { unit } of units) {
    const job = promptJobOf(unit)
    if (!jobs.has(job.key)) jobs.set(job.key, job)
  }
  return [...jobs.values()]
}
