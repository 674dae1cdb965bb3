/** Previews of videos by a tiny decoder that streams, held to what torch makes of the whole clip at once. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { createInlineDecoder } from '../../src/engine/inline-decoder.ts'
import { openPreviewSession } from '../../src/engine/preview-session.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { previewDecoderFault } from '../../src/model/preview-decoder.ts'
import { createRunMeter } from '../../src/model/session.ts'
import type { Pipeline } from '../../src/pipelines/pipeline.ts'
import { middleFrame } from '../../src/preview/decoder.ts'
import { imagesOfTensor } from '../../src/preview/image-of-tensor.ts'
import { createPreviewRenderer, showFrames } from '../../src/preview/render.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { largestDifference, unpackVideos } from '../families/wan-reference.ts'
import { packageRoot } from '../support/cli.ts'
import { runWhole, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const { folder } = createScratch()
const archive = join(packageRoot, 'test/fixtures/preview/taehv.tar.xz')
const { status, stderr } = spawnSync('tar', ['-xJf', archive, '-C', folder], { encoding: 'utf8' })
if (status !== 0) throw new Error(`${archive} cannot be unpacked: ${stderr}`)
const { modelPath } = unpackVideos()
const path = join(modelPath('wan-t2v-tiny'), 'preview_decoder/model.onnx')
mkdirSync(join(path, '..'))
cpSync(join(folder, 'model.onnx'), path)

/** Frames 0, 4 and 8 of nine, as torch gave them, 0 … 1. */
const golden: Readonly<Record<'latents' | 'frames', { dims: number[]; data: string }>> = JSON.parse(
  readFileSync(join(folder, 'golden.json'), 'utf8'),
)
function tensorOf({ dims, data }: { dims: number[]; data: string }): Tensor {
  const bytes = Buffer.from(data, 'base64')
  return {
    data: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
    dims,
  }
}

const latents = tensorOf(golden.latents)
const wanted = tensorOf(golden.frames)
const provider = { name: 'cpu', deviceId: 0, reason: '' } as const

describe('a decoder that streams', () => {
  it('is taken for one, and gives each latent frame as torch does of the whole clip, again and again', async () => {
    expect(previewDecoderFault(readModelFolder(modelPath('wan-t2v-tiny')))).toBeNull()
    const { decode, dispose } = await openPreviewSession({ path, channels: 16, provider, threads: 1 })
    for (let again = 0; again < 2; again++) {
      const { data, dims } = await decode(latents)
      expect(dims).toEqual([3, 3, 32, 24])
      expect(
        largestDifference(
          data,
          wanted.data.map((value) => 2 * value - 1),
        ),
      ).toBeLessThanOrEqual(1e-4)
    }
    // One frame alone is a clip of one.
    const first = new Float32Array(16 * 12)
    for (let channel = 0; channel < 16; channel++) {
      first.set(latents.data.subarray(channel * 36, channel * 36 + 12), channel * 12)
    }
    const one = await decode({ data: first, dims: [1, 16, 4, 3] })
    expect(one.dims).toEqual([1, 3, 32, 24])
    const own = wanted.data.subarray(0, 3 * 32 * 24).map((value) => 2 * value - 1)
    expect(largestDifference(one.data, own)).toBeLessThanOrEqual(1e-4)
    await dispose()
  })

  it('makes a grid of all frames in order', async () => {
    const session = await openPreviewSession({ path, channels: 16, provider, threads: 1 })
    const settings = { method: 'taesd', size: 'image', frames: 'all' } as const
    const renderer = createPreviewRenderer({
      ...{ settings, channels: 16, width: 48, height: 64 },
      decode: async (given) => imagesOfTensor(await session.decode(given)),
    })
    const { image } = await renderer.render(1, latents.data, latents.dims)
    const { rgb, width, height } = image
    expect([width, height]).toEqual([48, 64])
    // Two columns of 24 × 32: the second row begins with the third frame.
    const { data } = wanted
    for (const [frame, left, top] of [
      [0, 0, 0],
      [1, 24, 0],
      [2, 0, 32],
    ] as const) {
      const red = Math.round(data[frame * 3 * 32 * 24]! * 255)
      expect(Math.abs(rgb[3 * (top * 48 + left)]! - red), `frame ${frame}`).toBeLessThanOrEqual(1)
    }
    await session.dispose()
  })

  it('shows the same on the device of the denoiser as beside it', async () => {
    const session = await openPreviewSession({ path, channels: 16, provider, threads: 1 })
    const model = readModelFolder(modelPath('wan-t2v-tiny'))
    const pipeline = { meter: createRunMeter() } satisfies Partial<Pipeline> as unknown as Pipeline
    const inline = createInlineDecoder(model, pipeline, provider)
    const middle = middleFrame(latents.data, latents.dims)
    const decode = async (data: Float32Array, dims: readonly number[]) =>
      await inline.decode('taesd', data.slice(), [1, 16, ...dims.slice(2)])
    const [image] = await decode(middle.data, middle.dims)
    const frames = await decode(latents.data, latents.dims)
    for (const shown of ['all', 'animated', 'middle'] as const) {
      const options = {
        ...{ settings: { method: 'taesd', size: 'image', frames: shown } as const, width: 48, height: 64 },
      }
      const renderer = createPreviewRenderer({
        ...{ ...options, channels: 16 },
        decode: async (some) => imagesOfTensor(await session.decode(some)),
      })
      const given = shown === 'middle' ? middle : latents
      expect(await showFrames(options, image, shown === 'middle' ? undefined : frames)).toEqual(
        await renderer.render(1, given.data, given.dims),
      )
    }
    await inline.dispose()
    await session.dispose()
  })

  it('makes the step pictures of a run, the middle frame or all of them', async () => {
    const sheet = await writeSheet(folder, {
      version: 'v',
      models: { wan: modelPath('wan-t2v-tiny') },
      defaults: { num_frames: 9, width: 64, height: 48, steps: 2, guidance_scale: 1, seed: 1 },
      programs: { P1: {} },
      cues: {
        middle: { program: 'P1', prompt: 'a fox', variants: { v: {} } },
        all: {
          program: 'P1',
          prompt: 'a fox',
          previews: { method: 'taesd', frames: 'all' },
          variants: { v: {} },
        },
      },
    })
    const out = join(folder, 'out')
    await runWhole(sheet, out, ['--dry-run'])
    const sizes = ['middle', 'all'].map(async (cue) => {
      const { width, height } = await sharp(join(out, 'foigoi/v/cues', cue, 'v/2.png')).metadata()
      return [width, height]
    })
    expect(await Promise.all(sizes)).toEqual([
      [64, 48],
      [64, 48],
    ])
  })
})
