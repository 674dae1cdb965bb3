/** A unit's digest: the sha-256 of all that decides its pixels and its files. */
import { hash } from 'node:crypto'
import { SETTING_ROWS } from '../cue-sheet/setting-types.ts'
import type { SchedulerConfig } from '../diffusion/scheduler.ts'
import { type Canonical, canonicalJson, toCanonical } from './canonical-json.ts'
import type { Unit } from './unit.ts'

/** Follows from other parts, but has been one from the first release on. */
const EXECUTED_STEPS = 'executedSteps'

/** What decides pixels beside the unit itself. */
export interface DigestContext {
  readonly modelFingerprint: string
  /** sha-256 of the starting picture's bytes; undefined without one. */
  readonly imageSha256: string | undefined
  /** Likewise of the last picture of a video, and of all pictures of the video that drawing starts from. */
  readonly lastImageSha256?: string | undefined
  readonly videoSha256?: string | undefined
  /** Likewise of the mask. */
  readonly maskSha256?: string | undefined
  /** Likewise of each reference picture, in their order; null for one that is unknown. */
  readonly imagesSha256?: readonly (string | null)[] | undefined
  /** Raised whenever a release of pregen changes pixels. */
  readonly renderVersion: number | string
}

/** Everything that the digest covers, by the word that a reason uses for it. Plain JSON. */
export type DigestParts = Readonly<Record<string, Canonical>>

/** Parts that are made of something else than one setting as it stands in the unit. */
const MADE = new Map<string, (unit: Unit, context: DigestContext) => Canonical | undefined>(
  Object.entries({
    model: (_, { modelFingerprint }) => modelFingerprint,
    batch: () => 1,
    seed: ({ seed }) => String(seed),
    size: ({ width, height }) => `${width}x${height}`,
    scheduler: ({ scheduler }) => ({
      name: scheduler.name ?? null,
      config: canonicalConfig(scheduler.config),
    }),
    previews: ({ previews }) => previews && { ...previews },
    imageSha256: (_, { imageSha256 }) => imageSha256 ?? null,
    maskSha256: (_, { maskSha256 }) => maskSha256,
    imagesSha256: (_, { imagesSha256 }) => imagesSha256 && [...imagesSha256],
    lastImageSha256: ({ lastImage }, { lastImageSha256 }) => lastImage && (lastImageSha256 ?? null),
    videoSha256: ({ video }, { videoSha256 }) => video && (videoSha256 ?? null),
    fit: ({ image, video }) => image?.fit ?? video?.fit ?? null,
    // An MP4 is what all videos were before there was a choice.
    videoFormat: ({ output, videoFormat }) => (output === 'video' ? undefined : videoFormat),
    // The text chunk names the model by its id, so the id counts where there is one.
    embedMetadata: ({ embedMetadata, model }) => (embedMetadata ? { model } : false),
  } satisfies Record<string, (unit: Unit, context: DigestContext) => Canonical | undefined>),
)

const PARTS = SETTING_ROWS.flatMap(({ name, digest }) =>
  digest === undefined ? [] : [{ name, ...digest, make: MADE.get(digest.part) }],
)

/** Words for people; parts that are not listed go by their own name. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['renderVersion', 'render version'],
  [EXECUTED_STEPS, 'executed steps'],
  ...PARTS.map(({ part, word = part }) => [part, word] as const),
])

export function digestParts(unit: Unit, context: DigestContext): DigestParts {
  const parts: Record<string, Canonical> = {
    renderVersion: context.renderVersion,
    [EXECUTED_STEPS]: unit.executedSteps,
  }
  for (const { name, part, make, nullIfAbsent } of PARTS) {
    const made = make ? make(unit, context) : plain(Reflect.get(unit, name))
    if (made !== undefined || nullIfAbsent) parts[part] = made ?? null
  }
  return parts
}

function plain(value: unknown): Canonical {
  return typeof value === 'object' ? toCanonical(value) : (value as string | number | boolean | undefined)
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
  const shown = changed.length > 1 ? changed.filter((name) => name !== EXECUTED_STEPS) : changed
  const words = shown.map((name) => WORDS.get(name) ?? name)
  if (words.length === 0) return undefined
  const last = words.at(-1)!
  return `${words.length === 1 ? last : `${words.slice(0, -1).join(', ')} and ${last}`} changed`
}
