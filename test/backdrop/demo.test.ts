import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { parseTiming } from '../../src/artifacts/timing.ts'
import { eventOf, packageRoot, parseEvents, runCli } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'

const steps = (count: number, every = 1) =>
  Array.from({ length: count }, (_, index) => index + 1).filter(
    (step) => step % every === 0 || step === count,
  )

/** Step pictures of each unit of cues/demo.yaml; null where the program is P0. */
const EXPECTED: Record<string, { steps: number; pictures: number[]; size: [number, number] } | null> = {
  'storm/seed-1': null,
  'storm/seed-2': null,
  'storm/seed-3': null,
  'dawn/wide': { steps: 20, pictures: steps(20), size: [256, 144] },
  'dawn/close': { steps: 20, pictures: steps(20), size: [128, 128] },
  'dawn/sober': { steps: 20, pictures: steps(20), size: [128, 128] },
  'dunes/still': { steps: 20, pictures: steps(20), size: [192, 128] },
  'dunes/dusk': { steps: 20, pictures: steps(20), size: [128, 128] },
  // SD3's image-to-image executes n − ⌊n − n·strength⌋ steps.
  'stage/soft': { steps: 16, pictures: steps(16), size: [128, 128] },
  'stage/strong': { steps: 18, pictures: steps(18), size: [128, 128] },
  'stage-copy/exact': { steps: 1, pictures: steps(1), size: [128, 128] },
  'city/poster': { steps: 20, pictures: steps(20), size: [144, 256] },
  'forest/sunlit-1': { steps: 28, pictures: steps(28, 4), size: [128, 128] },
  'forest/sunlit-2': { steps: 28, pictures: steps(28, 4), size: [128, 128] },
  'forest/moonlit-1': { steps: 28, pictures: steps(28, 4), size: [128, 128] },
  'forest/moonlit-2': { steps: 28, pictures: steps(28, 4), size: [128, 128] },
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

describe('the demo sheet', () => {
  it('makes exactly the tree of the contract, whole, and then has nothing to do', {
    timeout: 600_000,
  }, async () => {
    const out = await temporaryFolder()
    const args = ['run', join(packageRoot, 'cues/demo.yaml'), '--out', out, '--format', 'ndjson']
    const first = await runCli(args)
    expect(first.code, first.stderr).toBe(0)

    const expected = Object.entries(EXPECTED).flatMap(([unit, previews]) => [
      `cues/${unit}/final.png`,
      ...(unit === 'city/poster' ? [`cues/${unit}/final.thumb.webp`] : []),
      ...(previews
        ? [...previews.pictures.map((step) => `cues/${unit}/${step}.png`), `cues/${unit}/timing.json`]
        : []),
    ])
    const tree = join(out, 'foigoi/demo')
    expect(await filesBelow(tree)).toEqual([...expected, 'manifest.json'].sort())
    expect((await readdir(out)).sort()).toEqual(['.pregen', 'foigoi'])

    for (const [unit, previews] of Object.entries(EXPECTED)) {
      const folder = join(tree, 'cues', unit)
      const { stdev, mean } = (await sharp(join(folder, 'final.png')).stats()).channels[1]!
      expect(stdev, `${unit} is a picture`).toBeGreaterThan(4)
      expect(mean).toBeGreaterThan(4)
      if (!previews) continue
      const [width, height] = previews.size
      for (const name of ['final.png', ...previews.pictures.map((step) => `${step}.png`)]) {
        expect(await sharp(join(folder, name)).metadata(), `${unit}/${name}`).toMatchObject({ width, height })
      }
      const timing = parseTiming(await readFile(join(folder, 'timing.json'), 'utf8'), unit)
      expect(Object.keys(timing.stepDurations)).toEqual([...steps(previews.steps).map(String), 'final'])
    }

    const manifest = JSON.parse(await readFile(join(tree, 'manifest.json'), 'utf8'))
    expect(manifest.assets).toHaveLength(16)
    const copy = manifest.assets.find((asset: { cue: string }) => asset.cue === 'stage-copy')
    expect(copy.metadata).toMatchObject({
      steps: 6,
      steps_executed: 1,
      guidance_scale: 1,
      denoise_strength: 0.05,
    })

    const second = parseEvents((await runCli(args)).stdout)
    expect(eventOf(second, 'run-finished')).toMatchObject({
      done: 0,
      skipped: 16,
      failed: 0,
      sessionRunMs: 0,
    })
  })
})
