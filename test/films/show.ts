/** A small show on disk, of pictures that tell by their grey which they are. */
import { writeFile } from 'node:fs/promises'
import { createManifest, encodeManifest, type ManifestAsset } from '../../src/artifacts/manifest.ts'
import { encodePng } from '../../src/artifacts/png.ts'
import { type Timing, timingOf } from '../../src/artifacts/timing.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'
import { plainFrame } from '../media/frames.ts'
import { testAssetOf, testLayout } from '../support/variants.ts'

export const SIZE = { width: 48, height: 32 }

export interface ShowVariant {
  readonly name: string
  readonly cue?: string
  readonly stepsMs: readonly number[]
  readonly finalMs: number
  readonly every?: number
}

/** The grey of a step's picture; the final one's is the next. */
export function levelOf(step: number): number {
  return 10 + step * 10
}

export async function writeShow(out: string, variants: readonly ShowVariant[]): Promise<Timing[]> {
  const layout = testLayout(out)
  const assets: ManifestAsset[] = []
  const timings: Timing[] = []
  for (const [index, { name, cue = 'dawn', stepsMs, finalMs, every = 1 }] of variants.entries()) {
    const writer = await createVariantWriter({ out, folder: layout.variantFolder(cue, name) })
    const png = async (step: number) => {
      const { rgb, width, height } = plainFrame(SIZE, levelOf(step))
      return encodePng(rgb, width, height)
    }
    for (let step = 1; step <= stepsMs.length; step++) {
      if (step % every === 0 || step === stepsMs.length) await writer.writeStep(step, await png(step))
    }
    await writer.writeFinal(await png(stepsMs.length + 1))
    const timing = timingOf(stepsMs, finalMs)
    timings.push(timing)
    const files = await writer.finish(stepsMs.length === 0 ? null : timing)
    const asset = testAssetOf({ key: layout.variantKey(cue, name), folder: writer.folder, files }, index)
    assets.push({ ...asset, cue })
  }
  await writeFile(layout.manifestPath, encodeManifest(createManifest('v1', assets)))
  return timings
}

/** Moments at which step 1 … N and the final picture came to be. */
export function momentsMs({ stepDurations }: Timing): number[] {
  let sum = 0
  return Object.values(stepDurations).map((ms) => {
    sum += ms
    return sum
  })
}
