/** How a model's CLIP is shown a picture: `image_processor/preprocessor_config.json`, transformers' CLIPImageProcessor. */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { VisionFacts } from '../plan/model-facts.ts'
import { readOptionalJsonFile } from './json-file.ts'

export const VISION_CONFIG = join('image_processor', 'preprocessor_config.json')

/** OpenAI's CLIP, where the folder does not say. */
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const
const MAX_SIDE = 4096

/**
 * @param side of the encoder's input, in pixels
 * @throws PregenError E_MODEL_CONFIG
 */
export function readVisionFacts(folder: string, side: number): VisionFacts {
  const file = join(folder, VISION_CONFIG)
  const config = readOptionalJsonFile(file, folder) ?? {}
  const fault = (what: string) =>
    new PregenError('E_MODEL_CONFIG', `${what}.`, {
      help: 'Take the image_processor folder that was published with the model, unchanged.',
      location: { file },
    })
  const number = (value: unknown, what: string, otherwise: number): number => {
    if (value === undefined || value === null) return otherwise
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_SIDE) return value
    throw fault(`${what} is no whole number from 1 to ${MAX_SIDE}`)
  }
  const inside = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(key) : value
  const triple = (key: string, otherwise: readonly number[]): readonly [number, number, number] => {
    const value: unknown = config[key] ?? otherwise
    const isGood = (item: unknown): item is number =>
      typeof item === 'number' &&
      Number.isFinite(item) &&
      Math.abs(item) < 1e6 &&
      (key !== 'image_std' || item > 0)
    if (!Array.isArray(value) || value.length !== 3 || !value.every(isGood)) {
      throw fault(`${key} is not three numbers`)
    }
    const [red = 0, green = 0, blue = 0] = value
    return [red, green, blue]
  }
  const crop = number(inside(config.crop_size, 'height'), 'crop_size', side)
  if (crop !== side) throw fault(`crop_size is ${crop}, and the image encoder takes ${side} pixels`)
  return {
    side,
    shortestEdge: number(inside(config.size, 'shortest_edge'), 'size', side),
    mean: triple('image_mean', CLIP_MEAN),
    std: triple('image_std', CLIP_STD),
  }
}
