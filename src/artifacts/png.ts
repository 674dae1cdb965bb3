/** Pixels → PNG. The same pixels give the same bytes: no clock, no path, and no prompt unless it is asked for. */
import { crc32 } from 'node:zlib'
import { loadSharp } from '../images/load-sharp.ts'

export interface PngOptions {
  /** zlib's 0 (none) … 9 (smallest); 6 unless given. */
  readonly compressionLevel?: number | undefined
  /** Text of A1111's `parameters` chunk, see `generationParameters`. */
  readonly metadata?: string | undefined
}

/**
 * Encodes 8-bit RGB.
 * @param rgb width × height × 3 bytes, row by row
 */
export async function encodePng(
  rgb: Uint8Array,
  width: number,
  height: number,
  options: PngOptions = {},
): Promise<Uint8Array> {
  if (rgb.byteLength !== width * height * 3) {
    throw new RangeError(`${width} × ${height} RGB is ${width * height * 3} bytes, not ${rgb.byteLength}`)
  }
  const sharp = await loadSharp()
  const png = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: options.compressionLevel ?? 6, adaptiveFiltering: false, palette: false })
    .toBuffer()
  return options.metadata === undefined ? png : insertText(png, 'parameters', options.metadata)
}

export interface GenerationParameters {
  readonly prompt: string
  readonly negativePrompt?: string | undefined
  readonly steps: number
  readonly sampler: string
  readonly guidanceScale: number
  readonly seed: bigint
  readonly width: number
  readonly height: number
  readonly model: string
  readonly denoiseStrength?: number | undefined
}

/** The text that A1111 writes and that common viewers read: prompt, negative prompt, then one line of settings. */
export function generationParameters(parameters: GenerationParameters): string {
  const settings = [
    `Steps: ${parameters.steps}`,
    `Sampler: ${parameters.sampler}`,
    `CFG scale: ${parameters.guidanceScale}`,
    `Seed: ${parameters.seed}`,
    `Size: ${parameters.width}x${parameters.height}`,
    `Model: ${parameters.model}`,
    ...(parameters.denoiseStrength === undefined
      ? []
      : [`Denoising strength: ${parameters.denoiseStrength}`]),
  ].join(', ')
  const negative = parameters.negativePrompt ? [`Negative prompt: ${parameters.negativePrompt}`] : []
  return [parameters.prompt, ...negative, settings].join('\n')
}

const SIGNATURE_BYTES = 8
const IHDR_BYTES = 25

/**
 * Puts a text chunk behind IHDR (PNG 3rd edition, §11.3.3): tEXt where Latin-1 can hold the text, else iTXt in
 * UTF-8, uncompressed.
 */
export function insertText(png: Uint8Array, keyword: string, text: string): Uint8Array {
  const clean = text.replaceAll('\0', '')
  const chunk = isLatin1(clean)
    ? makeChunk('tEXt', Buffer.concat([Buffer.from(`${keyword}\0`, 'latin1'), Buffer.from(clean, 'latin1')]))
    : // Keyword, then: not compressed, method 0, no language tag, no translated keyword.
      makeChunk(
        'iTXt',
        Buffer.concat([Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(clean, 'utf8')]),
      )
  const at = SIGNATURE_BYTES + IHDR_BYTES
  return Buffer.concat([png.subarray(0, at), chunk, png.subarray(at)])
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false
  return true
}

function makeChunk(type: string, data: Uint8Array): Uint8Array {
  const chunk = Buffer.alloc(12 + data.byteLength)
  chunk.writeUInt32BE(data.byteLength, 0)
  chunk.write(type, 4, 'latin1')
  chunk.set(data, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.byteLength)), 8 + data.byteLength)
  return chunk
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const CHUNK_TYPE = /^[A-Za-z]{4}$/

/** Signature, a true IHDR, chunks that follow each other up to IEND, and nothing behind it (PNG 3rd edition, §5). */
export function isPng(bytes: Buffer): boolean {
  if (!bytes.subarray(0, 8).equals(SIGNATURE) || bytes.length < 33) return false
  if (bytes.readUInt32BE(8) !== 13 || bytes.toString('latin1', 12, 16) !== 'IHDR') return false
  if (crc32(bytes.subarray(12, 29)) !== bytes.readUInt32BE(29)) return false
  for (let at = 33; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    if (!CHUNK_TYPE.test(type)) return false
    at += 12 + length
    if (type === 'IEND') return length === 0 && at === bytes.length
  }
  return false
}
