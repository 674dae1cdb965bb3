import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { boxAverage } from '../../src/preview/calibrate.ts'
import { rSquared } from '../../src/preview/score.ts'
import type { RgbImage } from '../../src/tensor/rgb-image.ts'
import { packageRoot } from '../support/cli.ts'
import { runWhole, writeSheet } from '../support/runs.ts'
import { TWENTY_PROMPTS } from './prompts.ts'

const STEPS = 20

async function readPicture(path: string): Promise<RgbImage> {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return { rgb: data, width: info.width, height: info.height }
}

function averaged(picture: RgbImage, width: number, height: number): RgbImage {
  return { rgb: Uint8Array.from(boxAverage(picture, width, height), Math.round), width, height }
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('previews of the embedded model: the last step against the final picture, over 20 prompts', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pregen-test-'))
    const variants = Object.fromEntries(
      TWENTY_PROMPTS.map((prompt, i) => [`p${i}`, { prompt, seed: 100 + i }]),
    )
    const previews = { every: STEPS, size: 'latent' }
    const sheet = await writeSheet(folder, {
      version: 'v1',
      models: { backdrop: join(packageRoot, 'models/backdrop') },
      defaults: { width: 128, height: 128, steps: STEPS, guidance_scale: 3 },
      programs: {
        linear: { previews: { ...previews, method: 'latent2rgb' } },
        decoder: { previews: { ...previews, method: 'taesd' } },
      },
      cues: { linear: { program: 'linear', variants }, decoder: { program: 'decoder', variants } },
    })
    await runWhole(sheet, join(folder, 'out'), ['--dry-run'])
  }, 300_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const pairs = (cue: string) =>
    Promise.all(
      TWENTY_PROMPTS.map(async (_, i) => {
        const variant = join(folder, 'out/foigoi/v1/cues', cue, `p${i}`)
        const [preview, final] = await Promise.all(
          [`${STEPS}.png`, 'final.png'].map((name) => readPicture(join(variant, name))),
        )
        return { preview: preview!, final: final! }
      }),
    )

  it('latent2rgb: R² of 0.75 and more', async () => {
    const scores = (await pairs('linear')).map(({ preview, final }) =>
      rSquared(preview, averaged(final, preview.width, preview.height)),
    )
    expect(mean(scores)).toBeGreaterThanOrEqual(0.75)
  })

  it('taesd: R² of 0.95 and more at full size', async () => {
    const scores = (await pairs('decoder')).map(({ preview, final }) => rSquared(preview, final))
    expect(mean(scores)).toBeGreaterThanOrEqual(0.95)
  })
})
