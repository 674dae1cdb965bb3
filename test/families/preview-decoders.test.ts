/** Preview decoders of the newer families (taef1, taew2_1, taef2) get the latents that the linear maps get, patches taken apart. */
import { copyFileSync, cpSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../support/cli.ts'
import { runSheet, runWhole, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { unpackReference } from './reference.ts'

const MODELS = [
  ['zimage-tiny', 16],
  ['qwenimage-tiny', 16],
  ['chroma-tiny', 16],
  ['flux2-klein-tiny', 32],
] as const
const decoderOf = (channels: number) => join(packageRoot, 'test/fixtures/preview/decoders', String(channels))
const { folder } = createScratch()
const out = join(folder, 'out')
/** Each with the decoder's own linear map as its preview.json. */
const paths = new Map(
  MODELS.map(([name, channels]) => {
    const path = join(folder, name)
    cpSync(unpackReference(name).modelOf({}), path, { recursive: true })
    copyFileSync(join(decoderOf(channels), 'factors.json'), join(path, 'preview.json'))
    return [name, path]
  }),
)
const cue = (model: string, program: string) => ({ program, model, prompt: 'x', seeds: [1] })
const defaults = { steps: 2, width: 96, height: 64 }

beforeAll(async () => {
  const programs = {
    P1: { previews: { method: 'taesd' } },
    P2: { previews: { method: 'latent2rgb', size: 'latent' } },
  }
  const sheet = await writeSheet(folder, {
    version: 'v',
    models: Object.fromEntries(
      MODELS.map(([name, channels]) => [
        name,
        { path: paths.get(name)!, preview_decoder: decoderOf(channels) },
      ]),
    ),
    defaults,
    programs,
    cues: Object.fromEntries(
      MODELS.flatMap(([name]) => [
        [`${name}-decoded`, cue(name, 'P1')],
        [`${name}-linear`, cue(name, 'P2')],
      ]),
    ),
  })
  await runWhole(sheet, out)
})

test.each(MODELS)('%s of %i channels', async (name) => {
  const pixels = async (kind: string, step: number) => {
    const file = join(out, 'foigoi/v/cues', `${name}-${kind}`, 'seed-1', `${step}.png`)
    const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true })
    return { data, size: [info.width, info.height] }
  }
  for (const step of [1, 2]) {
    const [decoded, linear] = [await pixels('decoded', step), await pixels('linear', step)]
    expect([decoded.size, linear.size]).toEqual([
      [96, 64],
      [12, 8],
    ])
    const far: number[] = []
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 3 * 12; x++) {
        const at = 3 * (8 * y * 96 + 8 * Math.floor(x / 3)) + (x % 3)
        far.push(Math.abs(decoded.data[at]! - linear.data[y * 36 + x]!))
      }
    }
    expect(Math.max(...far)).toBeLessThanOrEqual(1)
    expect(new Set(linear.data).size).toBeGreaterThan(10)
  }
})

describe('a decoder of another latent space', () => {
  test('costs the previews that need it, before anything is drawn', async () => {
    const models = { m: { path: paths.get('flux2-klein-tiny')!, preview_decoder: decoderOf(16) } }
    const sheet = await writeSheet(
      folder,
      {
        version: 'v',
        models,
        defaults,
        programs: { P1: { previews: { method: 'taesd' } } },
        cues: { c: cue('m', 'P1') },
      },
      'other.yaml',
    )
    const { status, stderr, stdout } = await runSheet(sheet, join(folder, 'other'))
    expect(status).toBe(2)
    expect(`${stderr}${stdout}`).toContain('no preview decoder for latents of 32 channels')
  })
})
