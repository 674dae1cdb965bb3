/** `preview.json`: a model folder's own latent2rgb factors, as `pregen models calibrate` writes them. */
import { join } from 'node:path'
import { messageOf, PregenError } from '../errors.ts'
import type { LatentRgbFactors } from '../families/family.ts'
import { JsonTextError, parseJsonText } from '../model-files/json-text.ts'
import { readInside } from '../model-files/open.ts'
import { checkChannels } from './latent-rgb.ts'

export const PREVIEW_JSON = 'preview.json'

/** A row a latent channel; no model has more than a few dozen. */
const MAX_BYTES = 2 ** 20
const MAX_VALUES = 10_000
/** A factor that makes more than this of a latent makes no colour. */
const MAX_FACTOR = 1e6

/** How a fit was made and how well it does; for people, not read back. */
export interface FitRecord {
  readonly pictures: number
  readonly pixels: number
  readonly r2: number
  readonly psnr: number
}

/**
 * @param file for messages
 * @throws PregenError `E_PREVIEW_JSON` when it is not `{"factors": [[r, g, b], …], "bias": [r, g, b]}` of finite
 *   numbers; other keys are ignored
 */
export function parsePreviewJson(text: string, file: string): LatentRgbFactors {
  const fault = (why: string) =>
    new PregenError('E_PREVIEW_JSON', `${file} ${why}.`, {
      help: 'Expected {"factors": [[r, g, b], … one row a latent channel], "bias": [r, g, b]}; `pregen models calibrate` writes it.',
    })
  let json: unknown
  try {
    json = parseJsonText(text, { maxValues: MAX_VALUES })
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error
    throw fault(`is not JSON: ${messageOf(error)}`)
  }
  if (typeof json !== 'object' || json === null) throw fault('is not a JSON object')
  const rows = 'factors' in json ? json.factors : undefined
  const bias = 'bias' in json ? json.bias : undefined
  if (!Array.isArray(rows) || rows.length === 0) throw fault('has no "factors"')
  if (!isTriple(bias)) throw fault('has no "bias" of three finite numbers')
  const factors = rows.map((row: unknown, channel) => {
    if (!isTriple(row)) throw fault(`has factors[${channel}] that are not three finite numbers`)
    return row
  })
  return { factors, bias }
}

function isTriple(value: unknown): value is readonly [number, number, number] {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    value.every((entry) => typeof entry === 'number' && Math.abs(entry) <= MAX_FACTOR)
  )
}

/** The text of a `preview.json`: one row a line, six significant digits (far finer than a level of 8-bit colour). */
export function formatPreviewJson({ factors, bias }: LatentRgbFactors, fit?: FitRecord): string {
  const row = (values: readonly number[]) =>
    `[${values.map((value) => Number(value.toPrecision(6))).join(', ')}]`
  const lines = [
    `  "factors": [\n${factors.map((values) => `    ${row(values)}`).join(',\n')}\n  ]`,
    `  "bias": ${row(bias)}`,
    ...(fit === undefined ? [] : [`  "fit": ${JSON.stringify(fit)}`]),
  ]
  return `{\n${lines.join(',\n')}\n}\n`
}

/**
 * The folder's own factors, or null when it has no `preview.json`.
 * @throws PregenError `E_PREVIEW_JSON` when there is one that cannot be read or understood
 */
export async function readPreviewJson(folder: string): Promise<LatentRgbFactors | null> {
  const file = join(folder, PREVIEW_JSON)
  let bytes: Buffer | null
  try {
    bytes = readInside(file, { root: folder, maxBytes: MAX_BYTES })
  } catch (error) {
    throw new PregenError('E_PREVIEW_JSON', `${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
  return bytes === null ? null : parsePreviewJson(bytes.toString('utf8'), file)
}

/**
 * The factors to use for a model: its folder's own win over those published for its family.
 * @throws PregenError `E_PREVIEW_CHANNELS` when they do not fit the model's latents, `E_PREVIEW_FACTORS` when
 *   there are none
 */
export function chooseFactors(model: {
  readonly family: string
  readonly latentChannels: number
  readonly folderFactors: LatentRgbFactors | null
  /** Those that others have published for the family's latent space. */
  readonly published: LatentRgbFactors | null
}): LatentRgbFactors {
  const { family, latentChannels, folderFactors, published } = model
  const factors = folderFactors ?? published
  if (factors === null) {
    throw new PregenError(
      'E_PREVIEW_FACTORS',
      `No latent2rgb factors are known for the family "${family}".`,
      {
        help: 'Run `pregen models calibrate` on the model folder to fit its own, or choose another previews.method.',
      },
    )
  }
  const source = folderFactors
    ? "The factors of the folder's preview.json"
    : `The published factors of the family "${family}"`
  checkChannels(factors.factors.length, latentChannels, source)
  return factors
}
