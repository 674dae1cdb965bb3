/** Exports with sizes built in, of every newer family: drawn as the free export draws, or a fault of the plan that says what works. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkModelFolder } from '../../src/model/check.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { fixShapes } from '../model/fix-shapes.ts'
import { faultsOf } from '../model/fixtures.ts'
import { comparePixels } from '../pipelines/oracle.ts'
import { runCli } from '../support/cli.ts'
import { runSheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { unpackReference } from './reference.ts'
import { unpackVideos } from './wan-reference.ts'

type Sizes = Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>

const FREE = {
  zimage: unpackReference('zimage-tiny').modelOf({}),
  qwen: unpackReference('qwenimage-tiny').modelOf({}),
  chroma: unpackReference('chroma-tiny').modelOf({}),
  flux2: unpackReference('flux2-klein-tiny').modelOf({}),
  ...{ wan: '', flf2v: '' },
}
const { modelPath } = unpackVideos()
FREE.wan = modelPath('wan-t2v-tiny')
FREE.flf2v = modelPath('wan-flf2v-tiny')

const { folder } = createScratch()

/** A copy of a model, parts of it with sizes built in. */
function fixed(model: keyof typeof FREE, name: string, parts: Sizes): string {
  const copy = join(folder, 'models', name)
  cpSync(FREE[model], copy, { recursive: true })
  for (const [component, sizes] of Object.entries(parts))
    fixShapes(join(copy, component, 'model.onnx'), sizes)
  return copy
}

const [ENCODER, QWEN_DROPPED] = [64, 34]
const texts = (tokens: number) => ({ input_ids: [1, tokens], attention_mask: [1, tokens] })
const PLANE = {
  width: 64,
  height: 64,
  steps: 2,
  seeds: [3],
  prompt: 'a fox in the snow',
  negative_prompt: 'rain',
}

/** Models whose every size is built in, and the settings that they are drawn with; nothing of a text's length is set. */
const MODELS = {
  zimage: {
    parts: {
      text_encoder: { ...texts(ENCODER), 'hidden_states.3': [1, ENCODER, null] },
      transformer: {
        hidden_states: [1, null, 8, 8],
        timestep: [1],
        encoder_hidden_states: [1, 96, null],
        encoder_attention_mask: [1, 96],
        out_hidden_states: [1, null, 8, 8],
      },
      vae_decoder: { latent_sample: [1, null, 8, 8], sample: [1, 3, 64, 64] },
      vae_encoder: { sample: [1, 3, 64, 64] },
    },
    settings: PLANE,
    asked: {},
  },
  qwen: {
    parts: {
      text_encoder: texts(ENCODER + QWEN_DROPPED),
      transformer: {
        hidden_states: [1, 16, null],
        timestep: [1],
        encoder_hidden_states: [1, 80, null],
        encoder_hidden_states_mask: [1, 80],
      },
    },
    settings: PLANE,
    asked: {},
  },
  chroma: {
    parts: {
      text_encoder: texts(ENCODER),
      transformer: {
        hidden_states: [1, 16, null],
        encoder_hidden_states: [1, ENCODER, null],
        timestep: [1],
        img_ids: [16, 3],
        txt_ids: [ENCODER, 3],
        attention_mask: [1, ENCODER + 16],
      },
    },
    settings: PLANE,
    asked: { max_sequence_length: ENCODER },
  },
  flux2: {
    parts: {
      text_encoder: texts(ENCODER),
      transformer: {
        hidden_states: [1, 16, null],
        encoder_hidden_states: [1, ENCODER, null],
        timestep: [1],
        img_ids: [1, 16, 4],
        txt_ids: [1, ENCODER, 4],
      },
    },
    settings: { width: 64, height: 64, steps: 2, seeds: [3], prompt: 'a fox in the snow' },
    asked: { max_sequence_length: ENCODER },
  },
  wan: {
    parts: {
      text_encoder: texts(ENCODER),
      transformer: {
        hidden_states: [1, null, 2, 8, 8],
        timestep: [1],
        encoder_hidden_states: [1, ENCODER, null],
        out_sample: [1, null, 2, 8, 8],
      },
      vae_decoder: { latent_sample: [1, null, 1, 8, 8] },
      vae_decoder_with_past: { latent_sample: [1, null, 1, 8, 8] },
    },
    settings: { width: 64, height: 64, steps: 2, seeds: [3], prompt: 'a fox in the snow', num_frames: 5 },
    asked: { max_sequence_length: ENCODER },
  },
  flf2v: {
    parts: {
      image_encoder: { pixel_values: [1, 3, 56, 56] },
      transformer: { hidden_states: [1, null, 2, 8, 8], encoder_hidden_states_image: [2, null, null] },
      vae_encoder: { sample: [1, 3, 1, 64, 64] },
      vae_encoder_with_past: { sample: [1, 3, 4, 64, 64] },
    },
    settings: {
      ...{ width: 64, height: 64, steps: 2, seeds: [3], prompt: 'a fox in the snow' },
      ...{ image: 'stage.png', last_image: 'stage.png', num_frames: 5 },
    },
    asked: {},
  },
} as const

const IDS = Object.keys(MODELS).filter((id): id is keyof typeof MODELS => id in MODELS)
/** Left to the export, where that is what it says. */
const OWN = ['width', 'height', 'num_frames']

const built = new Map<string, string>()

function placeOf(id: (typeof IDS)[number]): string {
  const place = built.get(id) ?? fixed(id, id, MODELS[id].parts)
  built.set(id, place)
  return place
}

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  const stage = sharp({ create: { width: 64, height: 64, channels: 3, background: '#5a3c78' } })
  await stage.png().toFile(join(folder, 'stage.png'))
})

test('what they have no room for is a fault of the plan, at its line', async () => {
  const lines: [string, RegExp][] = [
    [`zimage, max_sequence_length: 65`, /max_sequence_length is 65; .* texts of 64 tokens at most. Write 64/],
    [`zimage, width: 128`, /width is 128; .* for 64 alone. Write width: 64/],
    [`qwen, max_sequence_length: 512`, /max_sequence_length is 512; .* texts of 64 tokens at most/],
    [`qwen, width: 128`, /exported for 4096. Take a size of 4096 pixels, such as 64 × 64/],
    [`chroma, max_sequence_length: 512`, /max_sequence_length is 512; .* 64 tokens alone.* or write 64/],
    [`chroma, height: 128`, /exported for 4096/],
    [`flux2, max_sequence_length: 512`, /max_sequence_length is 512; .* 64 tokens alone.* or write 64/],
    [
      `flux2, images: [stage.png]`,
      /reference pictures make 32 tokens; .* exported for 16. A token is 16 × 16/,
    ],
    [`wan, num_frames: 9`, /num_frames comes to 9; .* 5 frames alone. Write num_frames: 5/],
    [`wan, height: 128`, /height is 128; .* for 64 alone/],
    [`wan, max_sequence_length: 512`, /max_sequence_length is 512; .* 64 tokens alone/],
  ]
  const models = IDS.map((id) => `  ${id}: ${placeOf(id)}\n`).join('')
  const cues = lines.map(
    ([setting], at) => `  c${at}: { program: P0, prompt: x, seeds: [1], model: ${setting} }`,
  )
  const text = `version: v\nprograms: { P0: {} }\nmodels:\n${models}cues:\n${cues.join('\n')}\n`
  // What needs pictures is looked at when all else is right.
  const images = cues.findIndex((cue) => cue.includes('images:'))
  const isOther = (_: unknown, at: number) => at !== images
  const without = `${text.slice(0, text.indexOf('  c0:'))}${cues.filter(isOther).join('\n')}\n`
  const alone = `${text.slice(0, text.indexOf('  c0:'))}${cues[images]}\n`
  const plan = async (sheet: string) => {
    await writeFile(join(folder, 'plan.yaml'), sheet)
    return runCli(['plan', join(folder, 'plan.yaml')])
  }
  const [many, one] = [await plan(without), await plan(alone)]
  expect([many.code, one.code]).toEqual([2, 2])
  for (const [at, [, message]] of lines.entries()) {
    const { stderr } = at === images ? one : many
    expect(stderr.replaceAll('\n  ', ' ')).toMatch(message)
  }
  expect(many.stderr.match(/plan\.yaml:\d+:\d+ {2}E_FIXED_SHAPE/g)).toHaveLength(lines.length - 1)
  expect(one.stderr).toMatch(/plan\.yaml:11:.* E_FIXED_SHAPE/)
}, 60_000)

describe('what is built in', () => {
  const out = join(folder, 'out')

  beforeAll(async () => {
    const cues = IDS.flatMap((id) => {
      const { settings, asked } = MODELS[id]
      const own = Object.fromEntries(Object.entries(settings).filter(([key]) => !OWN.includes(key)))
      return [
        [`${id}-free`, { program: 'P0', model: `${id}-free`, ...settings, ...asked }],
        [`${id}-fixed`, { program: 'P0', model: `${id}-fixed`, ...own }],
      ]
    })
    const sheet = await writeSheet(folder, {
      version: 'v',
      models: Object.fromEntries(
        IDS.flatMap((id) => [
          [`${id}-free`, FREE[id]],
          [`${id}-fixed`, placeOf(id)],
        ]),
      ),
      programs: { P0: {} },
      cues: Object.fromEntries(cues),
    })
    const { status, stderr, events } = await runSheet(sheet, out, ['--dry-run'])
    const failed = events.filter(({ type }) => type === 'unit-failed')
    expect([status, failed, stderr]).toEqual([0, [], ''])
  }, 120_000)

  test.each(IDS)('%s draws what the free export draws, with nothing set', async (id) => {
    const path = (kind: string) => join(out, 'foigoi/v/cues', `${id}-${kind}`, 'seed-3/final.png')
    const rgb = new Uint8Array(await sharp(path('fixed')).removeAlpha().raw().toBuffer())
    const { worst } = await comparePixels(path('free'), rgb)
    expect(worst).toBeLessThanOrEqual(1)
  })
})

test.each([
  [
    'a video’s transformer without the config that tells what it is given',
    'i2v',
    /transformer has 36 channels in hidden_states/,
  ],
  ['a VAE of Qwen-Image without its means', 'qwen', /latents_mean and latents_std must be 16 numbers each/],
] as const)('%s is refused', async (_, kind, message) => {
  const copy = join(folder, 'models', `${kind}-bare`)
  cpSync(kind === 'qwen' ? FREE.qwen : modelPath('wan-i2v-tiny'), copy, { recursive: true })
  if (kind === 'i2v') rmSync(join(copy, 'transformer/config.json'))
  for (const part of kind === 'qwen' ? ['vae_decoder', 'vae_encoder'] : []) {
    const path = join(copy, part, 'config.json')
    const { latents_mean: _mean, latents_std: _std, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify(rest))
  }
  const faults = await faultsOf(async () => checkModelFolder(readModelFolder(copy)))
  expect(faults.map((fault) => fault.message).join(' ')).toMatch(message)
})
