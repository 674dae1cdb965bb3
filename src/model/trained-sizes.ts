/** `pregen.json`: what a model's maker says of it to pregen alone. No pixel depends on it. */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { TrainedSizes } from '../plan/trained-sizes.ts'
import { z } from '../zod.ts'
import { readOptionalJsonFile } from './json-file.ts'

const PREGEN_JSON = 'pregen.json'

const pixels = z.int().positive()

/** Other keys at the top are left alone, so that an older release reads a newer file. */
const schema = z.object({
  trained_sizes: z
    .strictObject({ min_side: pixels, max_side: pixels, max_pixels: pixels })
    .partial()
    .refine((sizes) => Object.keys(sizes).length > 0, 'names no size')
    .refine(({ min_side, max_side }) => (min_side ?? 1) <= (max_side ?? min_side ?? 1), {
      message: 'has a min_side above its max_side',
    })
    .optional(),
})

/**
 * @param folder of the model
 * @returns null where there is no `pregen.json`, or it says nothing of sizes
 * @throws PregenError `E_MODEL_CONFIG`
 */
export function readTrainedSizes(folder: string): TrainedSizes | null {
  const file = join(folder, PREGEN_JSON)
  const json = readOptionalJsonFile(file, folder)
  if (json === null) return null
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue?.path.join('.') || 'it'
    throw new PregenError('E_MODEL_CONFIG', `${where}: ${issue?.message ?? 'not understood'}.`, {
      help: 'Expected { "trained_sizes": { "min_side": 64, "max_side": 256, "max_pixels": 65536 } }, each of them optional (docs/models.md).',
      location: { file },
    })
  }
  const sizes = parsed.data.trained_sizes
  if (sizes === undefined) return null
  return {
    minSide: sizes.min_side ?? null,
    maxSide: sizes.max_side ?? null,
    maxPixels: sizes.max_pixels ?? null,
  }
}
