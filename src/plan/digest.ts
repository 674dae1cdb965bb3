/** A unit's digest: the sha-256 of all that decides its pixels and its files. */
import { hash } from 'node:crypto'
import type { SchedulerConfig } from '../diffusion/scheduler.ts'
import { type Canonical, canonicalJson, toCanonical } from './canonical-json.ts'
import type { Unit } from './unit.ts'

/** What decides pixels beside the unit itself. */
export interface DigestContext {
  readonly modelFingerprint: string
  /** sha-256 of the starting picture's bytes; undefined without one. */
  readonly imageSha256: string | undefined
  /** Raised whenever a release of pregen changes pixels. */
  readonly renderVersion: number | string
}

/** Everything that the digest covers, by the word that a reason uses for it. Plain JSON. */
export type DigestParts = Readonly<Record<string, Canonical>>

/** Words for people; parts that are not listed go by their own name. */
const WORDS: Readonly<Record<string, string>> = {
  renderVersion: 'render version',
  negativePrompt: 'negative prompt',
  prompt2: 'second prompt',
  negativePrompt2: 'second negative prompt',
  promptSyntax: 'prompt syntax',
  maxSequenceLength: 'longest sequence',
  steps: 'steps',
  executedSteps: 'executed steps',
  guidanceScale: 'guidance',
  denoiseStrength: 'denoise strength',
  exactCopyMode: 'exact copy mode',
  embedMetadata: 'embedded metadata',
  imageSha256: 'image',
}

export function digestParts(unit: Unit, context: DigestContext): DigestParts {
  const { scheduler, previews, image } = unit
  return {
    renderVersion: context.renderVersion,
    model: context.modelFingerprint,
    prompt: unit.prompt,
    negativePrompt: unit.negativePrompt ?? null,
    prompt2: unit.prompt2 ?? null,
    negativePrompt2: unit.negativePrompt2 ?? null,
    promptSyntax: unit.promptSyntax,
    maxSequenceLength: unit.maxSequenceLength ?? null,
    seed: String(unit.seed),
    rng: unit.rng,
    steps: unit.steps,
    executedSteps: unit.executedSteps,
    guidanceScale: unit.guidanceScale,
    size: `${unit.width}x${unit.height}`,
    scheduler: { name: scheduler.name ?? null, config: canonicalConfig(scheduler.config) },
    previews: previews && { ...previews },
    imageSha256: context.imageSha256 ?? null,
    fit: image?.fit ?? null,
    denoiseStrength: unit.denoiseStrength ?? null,
    exactCopyMode: unit.exactCopyMode,
    thumbnail: unit.thumbnail,
    // The text chunk names the model by its id, so the id counts where there is one.
    embedMetadata: unit.embedMetadata ? { model: unit.model } : false,
    // The same unit in a larger batch may differ in the last bit.
    batch: unit.batch,
  }
}

/** A program's map of overrides is one object in all its units. */
const configs = new WeakMap<SchedulerConfig, Canonical>()

function canonicalConfig(config: SchedulerConfig): Canonical {
  let canonical = configs.get(config)
  if (canonical === undefined) {
    canonical = toCanonical(config)
    configs.set(config, canonical)
  }
  return canonical
}

/** sha-256 of the canonical JSON of the parts, lower-case hex. */
export function digestOfParts(parts: DigestParts): string {
  return hash('sha256', canonicalJson(parts))
}

/** `prompt changed`, `seed and steps changed`: which parts differ; undefined when none does. */
export function explainChange(previous: DigestParts, current: DigestParts): string | undefined {
  const names = new Set([...Object.keys(current), ...Object.keys(previous)])
  const changed = [...names].filter((name) => canonicalJson(previous[name]) !== canonicalJson(current[name]))
  // How many steps run follows from what else changed; alone it is worth saying.
  const told = changed.length > 1 ? changed.filter((name) => name !== 'executedSteps') : changed
  const words = told.map((name) => (Object.hasOwn(WORDS, name) ? WORDS[name]! : name))
  if (words.length === 0) return undefined
  const last = words.at(-1)!
  return `${words.length === 1 ? last : `${words.slice(0, -1).join(', ')} and ${last}`} changed`
}
