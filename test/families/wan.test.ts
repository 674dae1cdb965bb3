/** Wan against diffusers' own videos, through the command line and stage by stage. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { loadKeyframe } from '../../src/images/keyframe.ts'
import { checkModelFolder } from '../../src/model/check.ts'
import { modelFacts } from '../../src/model/facts.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { createPipeline } from '../../src/pipelines/create-pipeline.ts'
import type { GenerateRequest, Pipeline } from '../../src/pipelines/pipeline.ts'
import type { VideoFacts } from '../../src/plan/model-facts.ts'
import { cleanPrompt } from '../../src/text/clean-prompt.ts'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { runSheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { arrayOf, cueOf, largestDifference, unpackVideos, type VideoCase } from './wan-reference.ts'

const { cases, modelPath } = unpackVideos()
const { folder } = createScratch()
const out = join(folder, 'out')
const MODELS = [
  'wan-flf2v-tiny',
  'wan-i2v-tiny',
  'wan-t2v-tiny',
  'wan22-i2v-tiny',
  'wan22-ti2v-tiny',
  'wan22-tiny',
]

const pixelsOf = async (path: string) => new Uint8Array(await sharp(path).removeAlpha().raw().toBuffer())

/** 1 level, in at most 0.5 % of the values. */
async function expectSame(path: string, wanted: string): Promise<void> {
  const [given, golden] = [await pixelsOf(path), await pixelsOf(wanted)]
  expect(largestDifference(given, golden), path).toBeLessThanOrEqual(1)
  const differing = given.filter((value, index) => value !== golden[index]).length
  expect(differing / golden.length, path).toBeLessThanOrEqual(0.005)
}

const PLANES =
  'scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,format=yuv420p'

/**
 * What FFmpeg sees in the video. These frames are noise, of which halving the resolution of colour alone leaves 21 to 24 dB of
 * RGB: so they are held, plane by plane, to the PNGs as 4:2:0 has them. Pictures are held as RGB in test/media.
 */
interface Shape {
  readonly width: number
  readonly height: number
  readonly fps: number
}

function expectEncoded(variant: string, count: number, { width, height, fps }: Shape): void {
  const path = join(variant, 'final.mp4')
  const shown = ['-count_frames', '-show_streams', '-show_format', '-of', 'json']
  const { stdout } = spawnSync('ffprobe', ['-v', 'error', ...shown, path], { encoding: 'utf8' })
  const { streams, format } = JSON.parse(stdout)
  expect(streams).toMatchObject([
    {
      ...{ codec_name: 'h264', pix_fmt: 'yuv420p', width, height, nb_read_frames: String(count) },
      ...{ avg_frame_rate: `${fps}/1`, r_frame_rate: `${fps}/1` },
      ...{ color_range: 'tv', color_space: 'bt709', color_transfer: 'bt709', color_primaries: 'bt709' },
    },
  ])
  expect(Number(format.duration)).toBeCloseTo(count / fps, 5)
  const both = ['-i', path, '-framerate', String(fps), '-i', join(variant, 'frames/%04d.png')]
  const graph = ['-lavfi', `[1]${PLANES}[b];[0][b]psnr`, '-f', 'null', '-']
  const { stderr } = spawnSync('ffmpeg', ['-hide_banner', ...both, ...graph], { encoding: 'utf8' })
  const [, luma, worst] = /PSNR y:(\S+) .* min:(\S+)/.exec(stderr) ?? []
  expect(Math.min(Number(luma), Number(worst)), stderr).toBeGreaterThan(38)
}

describe('through the command line', () => {
  beforeAll(async () => {
    const sheet = await writeSheet(folder, {
      version: 'v',
      models: Object.fromEntries(MODELS.map((name) => [name, modelPath(name)])),
      programs: { P0: {} },
      cues: Object.fromEntries(cases.map((golden) => [golden.case, cueOf(golden)])),
    })
    const { status, stderr, events } = await runSheet(sheet, out, ['--dry-run'])
    const failed = events.filter(({ type }) => type === 'unit-failed')
    expect([status, failed, stderr]).toEqual([0, [], ''])
    const told = events.flatMap((event) =>
      event.type === 'frame' && event.cue === 'unipc-17' ? [event] : [],
    )
    expect(told.map(({ frame, frames }) => [frame, frames])).toEqual(
      Array.from({ length: 17 }, (_, index) => [index + 1, 17]),
    )
  }, 120_000)

  test.each(cases)(
    '$case is diffusers’ video',
    async ({ case: name, model, frames, params, folder: goldens }) => {
      const variant = join(out, 'foigoi/v/cues', name, 'v')
      expect(readdirSync(variant).sort()).toEqual(['final.mp4', 'final.png', 'frames'])
      expect(readdirSync(join(variant, 'frames'))).toHaveLength(frames.count)
      for (let frame = 0; frame < frames.count; frame++) {
        const own = join(variant, 'frames', `${String(frame + 1).padStart(4, '0')}.png`)
        await expectSame(own, join(goldens, frames.folder, `${String(frame).padStart(3, '0')}.png`))
      }
      expectEncoded(variant, frames.count, { ...params, fps: model === 'wan22-ti2v-tiny' ? 24 : 16 })
      const first = await pixelsOf(join(variant, 'frames/0001.png'))
      expect(largestDifference(await pixelsOf(join(variant, 'final.png')), first)).toBe(0)
    },
  )

  test('the manifest says that they are videos, how long, and what they were drawn from', () => {
    const path = join(out, 'foigoi/v/manifest.json')
    const { assets } = parseManifest(readFileSync(path, 'utf8'), path)
    expect(assets.map(({ type }) => type)).toEqual(cases.map(() => 'video'))
    const modes = Object.fromEntries(assets.map(({ cue, metadata }) => [cue, metadata.reference_mode]))
    expect(modes).toMatchObject({
      ...{ 'ti2v-text': 'none', 'ti2v-first': 'start', 'experts-first': 'start', 'experts-both': 'both' },
      ...{
        'unipc-17': 'none',
        'first-resize-neg': 'start',
        'both-tall-neg': 'both',
        'v2v-euler-040': 'single',
      },
    })
    const { url, metadata } = assets.find(({ cue }) => cue === 'unipc-17')!
    expect(url).toBe('cues/unipc-17/v/final.mp4')
    expect(metadata).toMatchObject({ num_frames: 17, fps: 16, duration_seconds: 1.0625, format: 'mp4' })
  })
})

describe('stage by stage', () => {
  const open = new Map<string, { readonly pipeline: Pipeline; readonly video: VideoFacts }>()
  const pipelineOf = async (name: string) => {
    const known = open.get(name)
    if (known) return known
    const read = readModelFolder(modelPath(name))
    await checkModelFolder(read)
    const { video } = await modelFacts(read)
    if (video === undefined) throw new Error(`${name} makes no videos`)
    const pipeline = createPipeline(read, { provider: { name: 'cpu', deviceId: 0, reason: '' }, threads: 1 })
    const opened = { pipeline, video }
    open.set(name, opened)
    return opened
  }
  afterAll(async () => {
    for (const { pipeline } of open.values()) await pipeline.dispose()
  })

  const withArrays = cases.filter(
    ({ arrays }) => arrays.latents_per_step !== undefined && arrays.prompt_embeds !== undefined,
  )

  test.each(withArrays)('$case: texts, pictures and latents of every step', async (golden) => {
    const { pipeline, video } = await pipelineOf(golden.model)
    const { params } = golden
    await pipeline.loadTextEncoders()
    const conditioning = await pipeline.encodePrompt({
      prompt: params.prompt,
      negativePrompt: params.negative_prompt,
      maxSequenceLength: params.max_sequence_length,
      withNegative: params.guidance_scale > 1,
    })
    const rows = arrayOf(golden, 'prompt_embeds')!
    const { data, dims } = conditioning.promptEmbeds
    expect(dims[1]).toBe(params.max_sequence_length ?? 512)
    expect(largestDifference(data.subarray(0, rows.length), rows)).toBeLessThanOrEqual(1e-4)
    expect(data.subarray(rows.length).every((value) => value === 0)).toBe(true)

    await pipeline.loadDenoiser({ withVaeEncoder: (params.image ?? params.video) !== undefined })
    const keyframes = await keyframesOf(golden, video)
    const shown = arrayOf(golden, 'pixel_values')
    expect(shown === null).toBe(keyframes.every(({ vision }) => (vision ?? null) === null))
    if (shown !== null) {
      const values = keyframes.flatMap(({ vision }) => [...(vision ?? [])])
      expect(largestDifference(values, shown)).toBeLessThanOrEqual(1e-5)
    }
    const steps: Float32Array[] = []
    await pipeline.generate([await requestOf(golden, conditioning, keyframes)], {
      onStep: ({ latents }) => void steps.push(latents.slice()),
    })
    const wanted = arrayOf(golden, 'latents_per_step')!
    expect(steps).toHaveLength(golden.arrays.latents_per_step!.shape[0]!)
    for (const [index, latents] of steps.entries()) {
      const own = wanted.subarray(index * latents.length, (index + 1) * latents.length)
      expect(largestDifference(latents, own), `step ${index + 1}`).toBeLessThanOrEqual(1e-3)
    }
  })

  test('the first frames of a long video are those of a short one, however many follow', async () => {
    const { pipeline } = await pipelineOf('wan-t2v-tiny')
    await pipeline.loadDenoiser()
    const [channels, plane] = [16, 4 * 4]
    const long = Float32Array.from({ length: channels * 4 * plane }, (_, index) => Math.sin(index * 0.37))
    const short = Float32Array.from({ length: channels * 2 * plane }, (_, index) => {
      const [channel, rest] = [Math.floor(index / (2 * plane)), index % (2 * plane)]
      return long[channel * 4 * plane + rest]!
    })
    const [of4] = await pipeline.decodeLatents(long, [1, channels, 4, 4, 4])
    const [of2] = await pipeline.decodeLatents(short, [1, channels, 2, 4, 4])
    expect([of4?.length, of2?.length]).toEqual([13, 5])
    expect(of2?.every(({ rgb }, frame) => largestDifference(rgb, of4![frame]!.rgb) === 0)).toBe(true)
  })

  test('two videos of a batch are what each is alone', async () => {
    const golden = cases.find((each) => each.case === 'first-resize-neg')!
    const { pipeline, video } = await pipelineOf(golden.model)
    await pipeline.loadTextEncoders()
    const conditioning = await pipeline.encodePrompt({ prompt: 'a fox', withNegative: true })
    await pipeline.loadDenoiser({ withVaeEncoder: true })
    const request = { ...(await requestOf(golden, conditioning, await keyframesOf(golden, video))), steps: 2 }
    const frames: number[][] = []
    const onFrame = ({ index, frame }: { index: number; frame: number }) => void frames.push([index, frame])
    const together = await pipeline.generate([request, { ...request, seed: 9n }], { onFrame })
    const [alone] = await pipeline.generate([{ ...request, seed: 9n }])
    expect(largestDifference(together[1]!.latents.data, alone!.latents.data)).toBeLessThanOrEqual(1e-4)
    // What was handed out is not kept, but for the first.
    expect(together.map((medium) => medium.frames.length)).toEqual([1, 1])
    expect(frames).toEqual([0, 1].flatMap((index) => Array.from({ length: 9 }, (_, at) => [index, at + 1])))
  })

  test('a video is given up between two of its frames', async () => {
    const { pipeline } = await pipelineOf('wan-t2v-tiny')
    await pipeline.loadTextEncoders()
    const conditioning = await pipeline.encodePrompt({ prompt: 'a fox', withNegative: false })
    await pipeline.loadDenoiser()
    const size = { width: 32, height: 32, numFrames: 17, steps: 1, guidanceScale: 1 }
    const request = { ...size, conditioning, seed: 1n, rng: 'torch-cpu', scheduler: { config: {} } } as const
    let taken = 0
    const hooks = { onFrame: () => void taken++, shouldStop: () => taken >= 5 }
    await expect(pipeline.generate([request], hooks)).rejects.toMatchObject({ code: 'E_CANCELLED' })
    expect(taken).toBe(5)
  })

  test.each(cases)('$case: cleaned prompt and its tokens', async (golden) => {
    const { params, cleaned, token_ids, model } = golden
    expect(cleanPrompt(params.prompt)).toBe(cleaned.prompt)
    const tokenizer = await createTokenizer(join(modelPath(model), 'tokenizer'))
    const ids = [...tokenizer.tokenize(cleaned.prompt, params.max_sequence_length ?? 512).ids]
    expect(ids.slice(0, token_ids.tokenizer.prompt.length)).toEqual(token_ids.tokenizer.prompt)
  })
})

async function keyframesOf({ params, folder: goldens }: VideoCase, { vision }: VideoFacts) {
  const { width, height, image, last_image } = params
  const given = [
    ['first', image],
    ['last', last_image],
  ] as const
  const keyframes: NonNullable<GenerateRequest['keyframes']>[number][] = []
  for (const [at, path] of given) {
    if (path === undefined) continue
    const loaded = await loadKeyframe({ source: join(goldens, path), width, height, fit: 'fill', vision })
    keyframes.push({ at, pixels: loaded.pixels, vision: loaded.shown })
  }
  return keyframes
}

async function requestOf(
  { params, resolved, scheduler, folder: goldens }: VideoCase,
  conditioning: GenerateRequest['conditioning'],
  keyframes: NonNullable<GenerateRequest['keyframes']>,
): Promise<GenerateRequest> {
  const { width, height, video, num_inference_steps: steps } = params
  const name = scheduler.class.startsWith('Flow') ? 'flow-match-euler' : 'unipc'
  const pictures: Uint8Array[] = []
  if (video !== undefined) {
    for (const file of readdirSync(join(goldens, video)).sort())
      pictures.push(await pixelsOf(join(goldens, video, file)))
  }
  return {
    ...{ conditioning, width, height, steps, rng: 'torch-cpu', seed: BigInt(params.seed) },
    numFrames: resolved.num_frames,
    guidanceScale: params.guidance_scale,
    guidanceScale2: params.guidance_scale_2,
    scheduler: { ...(scheduler.from === 'override' ? { name } : {}), config: scheduler.overrides },
    keyframes: keyframes.length > 0 ? keyframes : undefined,
    sourceVideo:
      video !== undefined
        ? { key: video, frames: resolved.num_frames, read: (frame) => pictures[frame]! }
        : undefined,
    denoiseStrength: params.strength,
  }
}
