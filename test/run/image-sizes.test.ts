import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { prepareRun } from '../../src/run/prepare.ts'
import { runWhole, type Sheet, TINY_SD15, writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

async function prepared(cue: Sheet, models: Sheet = { tiny: TINY_SD15 }) {
  const folder = await temporaryFolder()
  const create = { width: 83, height: 61, channels: 3, background: '#386' } as const
  await writeFile(join(folder, 'stage.tiff'), await sharp({ create }).tiff().toBuffer())
  await writeFile(
    join(folder, 'turned.jpg'),
    await sharp({ create }).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  )
  const defaults = { steps: 2, guidance_scale: 1, seed: 1 }
  const cues = { dawn: { program: 'P0', prompt: 'a hill', ...cue } }
  const sheetPath = await writeSheet(folder, { version: 'v1', models, defaults, programs: { P0: {} }, cues })
  const out = join(folder, 'out')
  const rest = { env: {}, embeddedModels: {}, force: false, allowPrivateUrls: false, cacheDir: undefined }
  const run = await prepareRun({ sheetPath, outDir: out, remoteImages: 'skip', ...rest })
  const sizes = run.units.map(({ unit: { width, height } }) => [width, height])
  const told = run.warnings.filter(({ code }) => code === 'W_SIZE_FROM_IMAGE').map(({ message }) => message)
  return { sizes, told, sheetPath, out }
}

describe('the size of a unit that starts from a picture', () => {
  it('is that of the picture as it is seen, rounded down, and is told', async () => {
    const variants = { wide: { image: 'stage.tiff' }, tall: { image: 'turned.jpg' } }
    const { sizes, told } = await prepared({ variants })
    expect(sizes).toEqual([
      [80, 48],
      [48, 80],
    ])
    expect(told).toEqual([
      '2 units take their size from their images: dawn/wide is drawn at 80 × 48, its image has 83 × 61. Set width and height for another.',
    ])
  })

  it('is the sheet’s where that gives one, and the model’s where nothing else is known', async () => {
    const given = await prepared({ seeds: [1], image: 'stage.tiff', width: 64, height: 64, fit: 'cover' })
    expect(given).toMatchObject({ sizes: [[64, 64]], told: [] })
    const remote = await prepared({ seeds: [1], image: 'https://example.com/stage.png' })
    expect(remote.told).toEqual([])
    expect(remote.sizes[0]).not.toEqual([80, 48])
  })

  it('can be drawn', async () => {
    const { sheetPath, out } = await prepared({ seeds: [1], image: 'stage.tiff' })
    await runWhole(sheetPath, out, ['--dry-run'])
    const final = join(out, 'foigoi/v1/cues/dawn/seed-1/final.png')
    const { width, height } = await sharp(final).metadata()
    expect([width, height]).toEqual([80, 48])
  }, 60_000)
})
