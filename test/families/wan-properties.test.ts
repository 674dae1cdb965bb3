/** However a video's latents are cut up for the VAE, its frames are the same up to the order in which ONNX Runtime sums; and what is asked for comes out at its size. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import type { CarriedValues } from '../../src/model/carried-values.ts'
import { type ModelFolder, readModelFolder } from '../../src/model/folder.ts'
import { createModelSession, createRunMeter, type ModelSession } from '../../src/model/session.ts'
import { createClipDecoder } from '../../src/pipelines/clip-decoder.ts'
import type { LatentDims } from '../../src/pipelines/pipeline.ts'
import { framesOf } from '../../src/pipelines/vae.ts'
import { toRgb } from '../../src/tensor/rgb-image.ts'
import { runWhole, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { createRandom } from '../support/seed.ts'
import { largestDifference, unpackVideos } from './wan-reference.ts'

const { modelPath } = unpackVideos()
const { folder } = createScratch()
const random = createRandom('wan properties')
const upTo = (most: number) => 1 + Math.floor(random() * most)

const open: ModelSession[] = []
const load = async ({ components }: ModelFolder, name: 'vae_decoder' | 'vae_decoder_with_past') => {
  const provider = { name: 'cpu', deviceId: 0, reason: '' } as const
  const options = { provider, threads: 1, meter: createRunMeter(), label: name }
  const session = await createModelSession(components[name]!.modelPath, options)
  open.push(session)
  return session
}
afterAll(() => Promise.all(open.map((session) => session.dispose())))

/** Sizes of pieces that make up `count`, by chance. */
function cutUp(count: number): number[] {
  const pieces: number[] = []
  for (let left = count; left > 0; left -= pieces.at(-1)!) pieces.push(upTo(left))
  return pieces
}

describe('the stream of the VAE', () => {
  it('gives the same frames however the latents are cut up, but for rounding', async () => {
    const read = readModelFolder(modelPath('wan-t2v-tiny'))
    const vaeDecoder = await load(read, 'vae_decoder')
    const withPast = await load(read, 'vae_decoder_with_past')
    const { vae } = read
    const channels = vae.latentChannels
    for (let round = 0; round < 8; round++) {
      const [frames, h, w] = [1 + upTo(7), 2 * upTo(4), 2 * upTo(4)]
      const dims: LatentDims = [1, channels, frames, h, w]
      const plane = h * w
      const latents = Float32Array.from({ length: channels * frames * plane }, () => 4 * random() - 2)
      const models = { vae, vaeDecoder, parts: { vae_decoder_with_past: withPast } }
      const wanted = await createClipDecoder(models, dims).decode(latents)
      expect(wanted).toHaveLength(4 * (frames - 1) + 1)

      // The first latent frame stands alone, as the first graph has it; the others come in pieces.
      const scaled = latents.map((value, at) => {
        const channel = Math.floor(at / (frames * plane))
        const inverse = Math.fround(1 / Math.fround(vae.latentsStd?.[channel] ?? 1))
        return Math.fround(value / inverse) + Math.fround(vae.latentsMean?.[channel] ?? 0)
      })
      const pieces = [1, ...cutUp(frames - 1)]
      const given: Uint8Array[] = []
      let past: CarriedValues | null = null
      let start = 0
      for (const [index, count] of pieces.entries()) {
        const session = index === 0 ? vaeDecoder : withPast
        const input = session.createInput('latent_sample', [1, channels, count, h, w])
        for (let channel = 0; channel < channels; channel++) {
          const from = (channel * frames + start) * plane
          input.write(scaled.subarray(from, from + count * plane), channel * count * plane)
        }
        const size = [h * vae.scale, w * vae.scale] as const
        const call = { inputs: [input], output: 'sample', shape: [1, 3, null, ...size], past }
        const answer: Awaited<ReturnType<ModelSession['stream']>> = await session.stream(call)
        past = answer.carried
        const { data, dims: shape } = answer.output
        for (const one of framesOf(data, shape[2] ?? 0)) given.push(toRgb(one, size[1], size[0]).rgb)
        start += count
      }
      past?.free()
      const told = `${frames} × ${h} × ${w} as ${pieces.join(' + ')}`
      expect(given, told).toHaveLength(wanted.length)
      const apart = wanted.map(({ rgb }, at) => largestDifference(rgb, given[at]!))
      // A call of several frames is a larger product of matrices, summed in another order: a value on the edge between two
      // levels may fall to the other side. pregen itself hands over one frame a call.
      expect(Math.max(...apart), told).toBeLessThanOrEqual(1)
      const values = wanted.reduce((sum, { rgb }) => sum + rgb.length, 0)
      const other = wanted.reduce(
        (sum, { rgb }, at) =>
          sum + rgb.reduce((count, value, i) => count + Number(value !== given[at]![i]), 0),
        0,
      )
      expect(other / values, told).toBeLessThan(0.001)
    }
  }, 60_000)
})

describe('any number of frames, any size in multiples of 16', () => {
  it('comes out as diffusers rounds it, at the size asked for', async () => {
    const asked = Array.from({ length: 8 }, (_, index) => ({
      id: `c${index}`,
      num_frames: upTo(22),
      width: 16 * upTo(6),
      height: 16 * upTo(6),
    }))
    const sheet = await writeSheet(folder, {
      version: 'v',
      models: { wan: modelPath('wan-t2v-tiny') },
      defaults: { steps: 1, guidance_scale: 1, frames: true },
      programs: { P0: {} },
      cues: Object.fromEntries(
        asked.map(({ id, ...size }) => [id, { program: 'P0', prompt: 'a fox', seeds: [1], ...size }]),
      ),
    })
    const out = join(folder, 'out')
    await runWhole(sheet, out, ['--dry-run'])
    const path = join(out, 'foigoi/v/manifest.json')
    const { assets } = parseManifest(readFileSync(path, 'utf8'), path)
    for (const { id, num_frames, width, height } of asked) {
      // diffusers: num_frames // 4 * 4 + 1, unless it is 4k + 1.
      const count = num_frames % 4 === 1 ? num_frames : Math.floor(num_frames / 4) * 4 + 1
      const variant = join(out, 'foigoi/v/cues', id, 'seed-1')
      expect(readdirSync(join(variant, 'frames')), id).toHaveLength(count)
      expect(await sharp(join(variant, 'final.png')).metadata()).toMatchObject({ width, height })
      expect(assets.find(({ cue }) => cue === id)?.metadata).toMatchObject({
        ...{ num_frames: count, width, height },
        duration_seconds: Math.round((count / 16) * 1e6) / 1e6,
      })
    }
  }, 120_000)
})
