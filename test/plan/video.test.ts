/** Settings of videos: frames rounded as diffusers does, what a model can be given, what no machine can draw. */
import { describe, expect, it } from 'vitest'
import { parseCueSheet } from '../../src/cue-sheet/parse.ts'
import { PregenErrors } from '../../src/errors.ts'
import { digestParts } from '../../src/plan/digest.ts'
import { estimatePlan } from '../../src/plan/estimate.ts'
import { expandUnits } from '../../src/plan/expand.ts'
import type { ModelFacts, VideoCostFacts, VideoFacts } from '../../src/plan/model-facts.ts'
import { unitFiles } from '../../src/plan/unit-files.ts'
import { sizeFault, videoCost } from '../../src/plan/video-cost.ts'
import { findMemoryFaults } from '../../src/run/check-memory.ts'
import { SD_FACTS, SD3_FACTS, unitOf } from './helpers.ts'

/** Wan 2.1 1.3B, as published. */
const COST: VideoCostFacts = {
  framesPerLatent: 4,
  tokenSide: 16,
  heads: 12,
  layers: 30,
  channels: 1536,
  feedForward: 8960,
  maxPositions: 1024,
  hasFusedAttention: true,
  weights: { text: 22.7e9, denoiser: 5.7e9, vae: 0.5e9 },
  cacheBytesAPixel: 9410,
}

const TEXT_TO_VIDEO: VideoFacts = {
  numFrames: 81,
  fps: 16,
  framesPerLatent: 4,
  keyframes: { first: 'none', last: 'none' },
  startsFromVideo: true,
  textLength: null,
  vision: null,
  cost: COST,
}

const factsOf = (video: Partial<VideoFacts> = {}): ModelFacts => ({
  ...SD3_FACTS,
  family: 'wan',
  defaults: { steps: 50, guidanceScale: 5, width: 832, height: 480 },
  schedulerClass: 'UniPCMultistepScheduler',
  schedulerConfig: {
    _class_name: 'UniPCMultistepScheduler',
    use_flow_sigmas: true,
    prediction_type: 'flow_prediction',
    flow_shift: 3,
  },
  hasPreviewDecoder: false,
  maxSequenceLength: 512,
  video: { ...TEXT_TO_VIDEO, ...video },
})

function expand(settings: Record<string, unknown>, facts = factsOf(), clips = new Map<string, number>()) {
  const cue = { program: 'P0', prompt: 'a fox', seeds: [1], ...settings }
  const text = JSON.stringify({ version: 'v', models: { m: 'm' }, programs: { P0: {} }, cues: { c: cue } })
  const sheet = parseCueSheet(Buffer.from(text), { env: {}, embeddedModels: {}, file: '/sheets/cues.yaml' })
  return expandUnits(sheet, { m: facts }, clips)
}

function codesOf(...given: Parameters<typeof expand>): string[] {
  try {
    expand(...given)
    return []
  } catch (error) {
    if (error instanceof PregenErrors) return error.errors.map(({ code }) => code)
    throw error
  }
}

describe('frames', () => {
  it.each([
    [81, 81],
    [7, 5],
    [8, 9],
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 5],
  ])('%i are %i', (asked, made) => {
    const { units, warnings } = expand({ num_frames: asked })
    expect(units[0]?.numFrames).toBe(made)
    expect(warnings.map(({ code }) => code)).toEqual(asked === made ? [] : ['W_NUM_FRAMES'])
  })

  it('are the model’s own where the sheet says nothing, at its rate', () => {
    expect(expand({}).units[0]).toMatchObject({
      output: 'video',
      numFrames: 81,
      fps: 16,
      width: 832,
      height: 480,
    })
  })

  it.each([
    [{}, 11, 9],
    [{ num_frames: 11 }, 11, 9],
    [{ num_frames: 6 }, 11, 5],
    [{ num_frames: 81 }, 17, 17],
    [{}, 1, 1],
  ])('%j of a video of %i pictures are %i', (settings, pictures, made) => {
    const clips = new Map([['/sheets/clip', pictures]])
    const { units } = expand({ ...settings, video: 'clip', denoise_strength: 0.5 }, factsOf(), clips)
    expect(units[0]).toMatchObject({ numFrames: made, executedSteps: 25, video: { source: '/sheets/clip' } })
    expect(units[0]?.image).toBeUndefined()
  })

  it('are files where they are kept, in their place', () => {
    const unit = unitOf({ output: 'video', numFrames: 5, frames: true, executedSteps: 1, thumbnail: true })
    expect(unitFiles(unit)).toEqual([
      '1.png',
      ...['frames/0001.png', 'frames/0002.png', 'frames/0003.png', 'frames/0004.png', 'frames/0005.png'],
      ...['final.png', 'final.mp4', 'final.thumb.webp', 'timing.json'],
    ])
  })
})

describe('step pictures', () => {
  it('that move stand beside the others, in their order', () => {
    const [unit] = expand({ previews: { frames: 'animated', every: 30 } }).units
    expect(unit?.previews).toMatchObject({ method: 'latent2rgb', frames: 'animated' })
    expect(unitFiles(unit!)).toEqual([
      ...['30.png', '30.webp', '50.png', '50.webp', 'final.png', 'final.mp4', 'timing.json'],
    ])
    const { bytes } = estimatePlan([unit!])
    const still = estimatePlan([{ ...unit!, previews: { ...unit!.previews!, frames: 'middle' } }]).bytes
    expect(bytes - still).toBeGreaterThan(100_000)
  })

  it.each(['all', 'animated'])('by the VAE are of the middle frame alone, with a word: %s', (frames) => {
    const { units, warnings } = expand({ seeds: [1, 2], previews: { method: 'full', frames } })
    expect(units.map(({ previews }) => previews?.frames)).toEqual(['middle', 'middle'])
    expect(warnings).toEqual([
      {
        ...{ code: 'W_PREVIEW_FRAMES', location: expect.objectContaining({ line: 1 }) },
        message: `Model "m": previews by the model's own VAE (method: full) show the middle frame alone; frames: ${frames} is for latent2rgb and taesd.`,
      },
    ])
    expect(expand({ previews: { method: 'full' } }).warnings).toEqual([])
  })

  it('of pictures do not move', () => {
    const cue = { previews: { frames: 'animated' }, width: 512, height: 512 }
    expect(codesOf(cue, SD_FACTS)).toEqual(['E_SETTING_UNSUITED'])
    expect(codesOf({ ...cue, previews: { frames: 'all' } }, SD_FACTS)).toEqual([])
  })

  it('of pictures beside videos in one program are what they are without', () => {
    const cues = {
      fox: { program: 'P1', model: 'wan', prompt: 'a fox', seeds: [1] },
      still: { program: 'P1', model: 'sd', prompt: 'a fox', seeds: [1], width: 512, height: 512 },
    }
    const planOf = (programs: object, given: object = cues) => {
      const text = JSON.stringify({ version: 'v', models: { wan: 'm', sd: 'n' }, programs, cues: given })
      const context = { env: {}, embeddedModels: {}, file: '/sheets/cues.yaml' }
      return expandUnits(parseCueSheet(Buffer.from(text), context), { wan: factsOf(), sd: SD_FACTS })
    }
    const { units } = planOf({ P1: { previews: { frames: 'animated' } } })
    expect(units.map(({ previews }) => previews?.frames)).toEqual(['animated', undefined])
    expect(() => planOf({ P1: { previews: { frames: 'animated' } } }, { still: cues.still })).toThrow(
      PregenErrors,
    )
  })
})

it('guidance of a second expert that is not there changes nothing, and that is told', () => {
  const { warnings } = expand({ guidance_scale_2: 3 })
  expect(warnings).toEqual([
    expect.objectContaining({
      code: 'W_SETTING_UNUSED',
      message: expect.stringContaining('no second expert'),
    }),
  ])
  expect(expand({ guidance_scale_2: 3 }, factsOf({ hasSecondExpert: true })).warnings).toEqual([])
})

describe('what a video is drawn from', () => {
  const FIRST = factsOf({
    keyframes: { first: 'needed', last: 'none' },
    startsFromVideo: false,
    textLength: 512,
  })
  const BOTH = factsOf({ keyframes: { first: 'needed', last: 'needed' }, startsFromVideo: false })

  it.each([
    ['a text model takes no picture', { image: 'a.png' }, factsOf(), ['E_SETTING_UNSUITED']],
    ['a picture that is needed is missed', {}, FIRST, ['E_NO_IMAGE']],
    [
      'a last picture that the model cannot take',
      { image: 'a.png', last_image: 'b.png' },
      FIRST,
      ['E_SETTING_UNSUITED'],
    ],
    ['a last picture that is needed is missed', { image: 'a.png' }, BOTH, ['E_NO_IMAGE']],
    ['both', { image: 'a.png', last_image: 'b.png' }, BOTH, []],
    ['a video for a model of pictures', { video: 'clip' }, FIRST, ['E_SETTING_UNSUITED']],
    [
      'another length of the text',
      { image: 'a.png', max_sequence_length: 226 },
      FIRST,
      ['E_SEQUENCE_LENGTH'],
    ],
  ])('%s', (_, settings, facts, codes) => {
    expect(codesOf(settings, facts)).toEqual(codes)
  })

  it('is stretched to size, as diffusers does, unless the sheet says otherwise', () => {
    expect(expand({ image: 'a.png' }, FIRST).units[0]?.image?.fit).toBe('fill')
    expect(expand({ image: 'a.png', fit: 'cover' }, FIRST).units[0]?.image?.fit).toBe('cover')
    // A picture's strength has no meaning here.
    expect(expand({ image: 'a.png' }, FIRST).units[0]).toMatchObject({
      denoiseStrength: undefined,
      executedSteps: 50,
    })
  })

  it('is no matter of models of pictures', () => {
    expect(codesOf({ num_frames: 9, width: 512, height: 512 }, SD_FACTS)).toEqual(['E_SETTING_UNSUITED'])
  })

  it('reads reference_strength as 1 − x, with a warning', () => {
    const clips = new Map([['/sheets/clip', 9]])
    const { units, warnings } = expand({ video: 'clip', reference_strength: 0.7 }, factsOf(), clips)
    expect(units[0]?.denoiseStrength).toBe(0.3)
    expect(warnings.map(({ code }) => code)).toEqual(['W_REFERENCE_STRENGTH'])
  })
})

describe('the digest', () => {
  const context = { modelFingerprint: 'f', imageSha256: undefined, renderVersion: 1 }

  it('of a picture knows nothing of videos', () => {
    const names = Object.keys(digestParts(unitOf(), context))
    expect(names.filter((name) => /frame|fps|video|last|Scale2/i.test(name))).toEqual([])
  })

  it('of a video covers its frames, rate, last picture and source', () => {
    const [unit] = expand({ num_frames: 9, fps: 24, frames: true, guidance_scale_2: 3 }).units
    expect(digestParts(unit!, context)).toMatchObject({
      numFrames: 9,
      fps: 24,
      frames: true,
      guidanceScale2: 3,
    })
    const given = { source: '/a', fit: undefined }
    const parts = digestParts({ ...unit!, lastImage: given, video: given }, { ...context, videoSha256: 'v' })
    expect(parts).toMatchObject({ lastImageSha256: null, videoSha256: 'v' })
  })
})

describe('limits', () => {
  const SIZE = { width: 832, height: 480, numFrames: 81 }

  it('Wan 1.3B at 480p takes 28 PFLOP, and both sets of what its VAE carries', () => {
    const { tokens, flopsACall, memoryBytes } = videoCost(SIZE, COST)
    expect(tokens).toBe(32_760)
    expect((flopsACall * 100) / 1e15).toBeCloseTo(28, 0)
    // The text encoder, which is freed before the rest is loaded.
    expect(memoryBytes).toBe(COST.weights.text)
    const light = videoCost(SIZE, { ...COST, weights: { text: 0, denoiser: 0, vae: 0 } })
    expect(light.memoryBytes / 2 ** 30).toBeCloseTo(7, 0)
  })

  it('plain attention is refused at that size, with the frames that fit', () => {
    const plain = { ...COST, hasFusedAttention: false }
    const fault = sizeFault(SIZE, plain)
    expect(fault).toMatchObject({ code: 'E_ATTENTION_MEMORY', setting: 'numFrames' })
    const fits = Number(/num_frames: (\d+)/.exec(fault?.help ?? '')?.[1])
    expect(sizeFault({ ...SIZE, numFrames: fits }, plain)).toBeNull()
    expect(sizeFault({ ...SIZE, numFrames: fits + 4 }, plain)).not.toBeNull()
    expect(codesOf({}, factsOf({ cost: plain }))).toEqual(['E_ATTENTION_MEMORY'])
    expect(codesOf({})).toEqual([])
  })

  it('positions that the model does not know are refused', () => {
    expect(
      sizeFault({ width: 832, height: 480, numFrames: 41 }, { ...COST, maxPositions: 10 }),
    ).toMatchObject({
      help: expect.stringContaining('37'),
    })
    expect(sizeFault({ width: 832, height: 160, numFrames: 1 }, { ...COST, maxPositions: 10 })).toMatchObject(
      {
        setting: 'width',
      },
    )
  })

  it('a processor with too little memory is told a size that fits', () => {
    const models = new Map([
      [
        'm',
        {
          facts: factsOf({ cost: { ...COST, weights: { text: 0, denoiser: 0, vae: 0 } } }),
          provider: undefined,
        },
      ],
    ])
    const { units } = expand({})
    expect(findMemoryFaults(units, models, 'cpu', 64 * 2 ** 30)).toEqual([])
    expect(findMemoryFaults(units, models, undefined, 2 ** 30)).toEqual([])
    const [fault] = findMemoryFaults(units, models, 'cpu', 4 * 2 ** 30)
    expect(fault).toMatchObject({ code: 'E_VIDEO_MEMORY' })
    const [, width, height] = /^(\d+) × (\d+)/.exec(fault?.help ?? '') ?? []
    const smaller = { width: Number(width), height: Number(height), numFrames: 81 }
    expect(
      videoCost(smaller, { ...COST, weights: { text: 0, denoiser: 0, vae: 0 } }).memoryBytes,
    ).toBeLessThanOrEqual(4 * 2 ** 30)
  })
})
