/** Variants on disk as a run would leave them, for tests of what comes after. */
import { join } from 'node:path'
import { createLayout, type Layout } from '../../src/artifacts/layout.ts'
import type { Ledger, LedgerFile } from '../../src/artifacts/ledger.ts'
import type { ManifestAsset } from '../../src/artifacts/manifest.ts'
import { timingOf } from '../../src/artifacts/timing.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'

export interface WrittenVariant {
  readonly key: string
  readonly folder: string
  readonly files: readonly LedgerFile[]
}

export interface VariantContent {
  readonly steps: number
  /** Another word, another content of the same length. */
  readonly mark?: string
  readonly bytes?: number
}

export function testLayout(out: string): Layout {
  return createLayout({ out, root: 'foigoi', version: 'v1' })
}

const PNG_HEAD = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de', 'hex')
const PNG_END = Buffer.from('0000000049454e44ae426082', 'hex')

/** A PNG by its chunks, in bytes that follow from a name: the same for the same name and mark. */
export function contentOf(name: string, mark: string, sizeBytes: number): Uint8Array {
  const text = `${mark}:${name};`
  const filling = sizeBytes - PNG_HEAD.length - PNG_END.length - 12
  if (filling < 0) return Buffer.alloc(sizeBytes, text)
  const chunk = Buffer.alloc(12 + filling, text)
  chunk.writeUInt32BE(filling, 0)
  chunk.write('teSt', 4, 'latin1')
  return Buffer.concat([PNG_HEAD, chunk, PNG_END])
}

/** Writes a variant and its line in the ledger. No steps: no marker either. @param name `cue/variant` */
export async function writeTestVariant(
  layout: Layout,
  name: `${string}/${string}`,
  content: VariantContent,
  ledger?: Ledger,
): Promise<WrittenVariant> {
  const [cue = '', variant = ''] = name.split('/')
  const { steps, mark = 'a', bytes = 300 } = content
  const key = layout.variantKey(cue, variant)
  const folder = layout.variantFolder(cue, variant)
  await ledger?.forgetUnit(key)
  const writer = await createVariantWriter({ out: layout.out, folder })
  const body = (file: string) => contentOf(join(cue, variant, file), mark, bytes)
  for (let step = 1; step <= steps; step++) await writer.writeStep(step, body(`${step}.png`))
  await writer.writeFinal(body('final.png'))
  const files = await writer.finish(steps > 0 ? timingOf(Array(steps).fill(mark.length * 10), 5) : null)
  await ledger?.recordUnit(key, { digest: `${key}:${mark}:${steps}`, parts: { prompt: mark }, files })
  return { key, folder, files }
}

/** The manifest's line about a written variant. */
export function testAssetOf(variant: WrittenVariant, index: number): ManifestAsset {
  const final = variant.files.find((file) => file.name === 'final.png')
  const name = variant.key.slice(variant.key.lastIndexOf('/') + 1)
  return {
    type: 'image',
    cue: 'dawn',
    variant: name,
    program: 'P1',
    url: `cues/dawn/${name}/final.png`,
    thumbnail_url: null,
    timing_url: null,
    metadata: {
      width: 8,
      height: 8,
      format: 'png',
      seed: String(index),
      steps: 2,
      steps_executed: 2,
      guidance_scale: 1,
      scheduler: 'euler',
      model: 'm',
      model_fingerprint: 'f',
      file_size_bytes: final?.sizeBytes ?? 0,
      sha256: final?.sha256 ?? '',
      generation_time: 1,
      reference_mode: 'none',
      asset_index: index,
    },
  }
}
