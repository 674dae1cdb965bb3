/** What an export with sizes of its own can draw, and what to write instead of what it cannot. */
import type { SettingName } from '../cue-sheet/setting-types.ts'
import type { FamilyFacts } from '../families/family.ts'
import { type FamilyName, familyOf } from '../families/index.ts'

/** Sizes that an export has built in; null: any. */
export interface FixedShapes {
  /** Pictures that one call of the denoiser takes; the two halves of guidance are two. */
  readonly rows: number | null
  /** Pixels. */
  readonly width: number | null
  readonly height: number | null
  /** Tokens of the picture, where latents go in packed. */
  readonly imageTokens: number | null
  /** The longest side in pixels, of models that know each place. */
  readonly maxSide: number | null
  /** Tokens of a text whose padding is read too: exactly so many. */
  readonly sequenceLength: number | null
  /** The most tokens of a text whose padding is masked. */
  readonly longestText: number | null
  /** Tokens that a denoiser takes of texts that are encoded in chunks. */
  readonly textTokens: number | null
  /** Frames of a video. */
  readonly numFrames: number | null
  /** Of pictures that the model looks at; null: any. */
  readonly reference: { readonly width: number | null; readonly height: number | null }
  /** Pixels a latent. */
  readonly scale: number
}

export interface ShapeRequest {
  readonly width: number
  readonly height: number
  /** Tokens of a picture of this size; null: others come with them. */
  readonly imageTokens: number | null
  readonly guidanceScale: number
  /** Whether guidance makes two of a picture in a call, or would above 1. */
  readonly isDoubled: boolean
  readonly canDouble: boolean
  readonly sequenceLength: number | undefined
  readonly numFrames: number | undefined
}

export interface ShapeFault {
  readonly name: SettingName
  /** Goes on after `cues.c.width …`. */
  readonly why: string
  readonly help: string
}

const EXPORT_HELP = 'or export the model with free sizes (optimum-cli export onnx).'

interface FixedFacts {
  readonly family: FamilyName
  readonly fixed?: FixedShapes | undefined
}

/** Tokens of a text where nothing is asked for, as the export has them; undefined: as the family likes. */
export function builtInLength({ family, fixed }: FixedFacts): number | undefined {
  if (fixed === undefined) return undefined
  const { sequenceLength, longestText } = fixed
  if (sequenceLength !== null) return sequenceLength
  const { cuts }: FamilyFacts = familyOf(family)
  return longestText !== null && (cuts?.sequenceLength ?? 0) > longestText ? longestText : undefined
}

/** @param model as messages call it */
export function findShapeFaults(shapes: FixedShapes, request: ShapeRequest, model: string): ShapeFault[] {
  const faults: ShapeFault[] = []
  for (const name of ['width', 'height'] as const) {
    const [asked, only] = [request[name], shapes[name]]
    if (only !== null && asked !== only) {
      const why = `is ${asked}; the model "${model}" was exported for ${only} alone`
      faults.push({ name, why, help: `Write ${name}: ${only}, ${EXPORT_HELP}` })
    } else if (shapes.maxSide !== null && asked > shapes.maxSide) {
      const why = `is ${asked}; the model "${model}" knows ${shapes.maxSide} pixels a side`
      faults.push({ name, why, help: `Write ${name}: ${shapes.maxSide} or less.` })
    }
  }
  const { imageTokens, sequenceLength } = shapes
  const own = request.imageTokens
  if (imageTokens !== null && own !== null && imageTokens !== own) {
    const pixels = ((request.width * request.height) / own) * imageTokens
    const why = `and height make ${request.width * request.height} pixels; the model "${model}" was exported for ${pixels}`
    const side = Math.sqrt(pixels)
    const such = Number.isInteger(side) ? `, such as ${side} × ${side}` : ''
    faults.push({ name: 'width', why, help: `Take a size of ${pixels} pixels${such}, ${EXPORT_HELP}` })
  }
  const length = request.sequenceLength
  if (sequenceLength !== null && length !== undefined && length !== sequenceLength) {
    const why = `is ${length}; the model "${model}" was exported for ${sequenceLength} tokens alone`
    faults.push({ name: 'maxSequenceLength', why, help: `Leave it out, or write ${sequenceLength}.` })
  }
  const { longestText, numFrames } = shapes
  if (longestText !== null && length !== undefined && length > longestText) {
    const why = `is ${length}; the model "${model}" was exported for texts of ${longestText} tokens at most`
    faults.push({ name: 'maxSequenceLength', why, help: `Write ${longestText} or less, or leave it out.` })
  }
  const frames = request.numFrames
  if (numFrames !== null && frames !== undefined && frames !== numFrames) {
    const why = `comes to ${frames}; the model "${model}" was exported for ${numFrames} frames alone`
    faults.push({ name: 'numFrames', why, help: `Write num_frames: ${numFrames}, ${EXPORT_HELP}` })
  }
  const rows = rowFault(shapes.rows, request, model)
  return rows === null ? faults : [...faults, rows]
}

/** One picture goes in as one row; under guidance as two, or as one and then the other. */
function rowFault(rows: number | null, request: ShapeRequest, model: string): ShapeFault | null {
  if (rows === null || rows === 1 || (rows === 2 && request.isDoubled)) return null
  const why = `is ${request.guidanceScale}, for which the model is given ${request.isDoubled ? '1 or 2 pictures' : '1 picture'} a call; the model "${model}" was exported for ${rows}`
  const guided =
    rows === 2 && request.canDouble
      ? 'Write a guidance_scale above 1, which makes two, '
      : 'Take another model, '
  return { name: 'guidanceScale', why, help: `${guided}${EXPORT_HELP}` }
}
