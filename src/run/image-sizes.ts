/**
 * Sizes of units that start from a picture and name none: that picture's own, as in diffusers, where the model draws any.
 * Files alone tell theirs: what is behind a URL is not always fetched, and a plan must not depend on that.
 */
import { resolve } from 'node:path'
import type { CueSheet, SheetVariant } from '../cue-sheet/sheet.ts'
import { PregenError } from '../errors.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import type { TrainedSizes } from '../plan/trained-sizes.ts'
import { isRemote } from './check-init-images.ts'
import type { PrepareWarning } from './prepared.ts'

export interface SizedSheet {
  readonly sheet: CueSheet
  readonly warnings: readonly PrepareWarning[]
}

interface Size {
  readonly width: number
  readonly height: number
}

/**
 * @param facts by model id
 * @param trained by model id; a model that was trained for certain sizes keeps to its own
 */
export async function takeImageSizes(
  sheet: CueSheet,
  facts: Readonly<Record<string, ModelFacts>>,
  trained: ReadonlyMap<string, TrainedSizes | null>,
): Promise<SizedSheet> {
  const known = new Map<string, Promise<Size | null>>()
  const taken: { name: string; size: Size; image: Size }[] = []
  const sized = async (cue: string, variant: SheetVariant): Promise<SheetVariant> => {
    const { model = '', image, width, height } = variant.settings
    if (image === undefined || width !== undefined || height !== undefined || isRemote(image)) return variant
    const own = facts[model]
    if (own === undefined || !drawsAnySize(own) || (trained.get(model) ?? null) !== null) return variant
    const path = resolve(image)
    if (!known.has(path)) known.set(path, sizeOf(path))
    const found = (await known.get(path)) ?? null
    if (found === null) return variant
    const size = rounded(found, own.sizeMultiple)
    taken.push({ name: `${cue}/${variant.id}`, size, image: found })
    // What rounding takes away is less than one multiple: stretched, as diffusers does it.
    const fit = variant.settings.fit ?? 'fill'
    return { ...variant, settings: { ...variant.settings, ...size, fit } }
  }
  const hasImages = sheet.cues.some(({ variants }) =>
    variants.some(({ settings }) => settings.image !== undefined),
  )
  if (!hasImages) return { sheet, warnings: [] }
  const cues: CueSheet['cues'][number][] = []
  for (const cue of sheet.cues) {
    const variants: SheetVariant[] = []
    for (const variant of cue.variants) variants.push(await sized(cue.id, variant))
    cues.push({ ...cue, variants })
  }
  return { sheet: { ...sheet, cues }, warnings: warningsOf(taken) }
}

/** Videos keep their model's size: a photo's own would take hours, and diffusers does not take it either. */
function drawsAnySize({ fixed, hasVaeEncoder, video }: ModelFacts): boolean {
  if (!hasVaeEncoder || video !== undefined) return false
  return fixed === undefined || (fixed.width === null && fixed.height === null && fixed.imageTokens === null)
}

/** null: what is wrong with the picture is told where all pictures are checked, with its line. */
async function sizeOf(path: string): Promise<Size | null> {
  const { inspectInitImage } = await import('../images/init-image.ts')
  const { defaultImageLimits } = await import('../images/read-source.ts')
  try {
    const { width, height } = await inspectInitImage({ source: path, limits: defaultImageLimits })
    return { width, height }
  } catch (error) {
    if (error instanceof PregenError) return null
    throw error
  }
}

/** Down, as diffusers does it. */
function rounded({ width, height }: Size, multiple: number): Size {
  const down = (side: number) => Math.max(multiple, side - (side % multiple))
  return { width: down(width), height: down(height) }
}

function warningsOf(taken: readonly { name: string; size: Size; image: Size }[]): PrepareWarning[] {
  const [first] = taken
  if (first === undefined) return []
  const { name, size, image } = first
  const count =
    taken.length === 1
      ? '1 unit takes its size from its image'
      : `${taken.length} units take their size from their images`
  const example = `${name} is drawn at ${size.width} × ${size.height}, its image has ${image.width} × ${image.height}`
  return [{ code: 'W_SIZE_FROM_IMAGE', message: `${count}: ${example}. Set width and height for another.` }]
}
