import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { pictureHashes, runWhole, TINY_SD3, TINY_SD15, tinySheet, writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

it('an optimized model draws the same pictures, from the cache, until its files are gone', {
  timeout: 120_000,
}, async () => {
  const folder = await temporaryFolder()
  const env = { XDG_CACHE_HOME: join(folder, 'cache') }
  const sheet = await writeSheet(
    folder,
    tinySheet({
      models: { tiny: TINY_SD15, three: TINY_SD3 },
      programs: { P1: { previews: { method: 'full', every: 3 } }, P2: { model: 'three' } },
      cues: {
        fox: { program: 'P1', prompt: 'a fox', seeds: [1] },
        owl: { program: 'P2', prompt: 'an owl', seeds: [2] },
      },
    }),
  )
  await runWhole(sheet, join(folder, 'before'), ['--dry-run'], { env })
  for (const { path } of [TINY_SD15, TINY_SD3]) {
    const { code, stderr } = await runCli(['models', 'optimize', path, '--provider', 'cpu'], { env })
    expect(code, stderr).toBe(0)
  }
  await runWhole(sheet, join(folder, 'after'), ['--dry-run'], { env })
  const before = await pictureHashes(join(folder, 'before'))
  expect(before.size).toBeGreaterThan(2)
  expect(await pictureHashes(join(folder, 'after'))).toEqual(before)

  // That it was taken from there shows where it is broken.
  const optimized = join(folder, 'cache/pregen/optimized')
  const kept = (await readdir(optimized, { recursive: true })).filter((name) =>
    name.endsWith('unet/model.onnx'),
  )
  expect(kept).toHaveLength(1)
  await writeFile(join(optimized, kept[0]!), 'no model')
  const broken = await runCli(
    ['run', sheet, '--out', join(folder, 'broken'), '--dry-run', '--provider', 'cpu', '--format', 'ndjson'],
    { env },
  )
  expect(broken.code).toBe(3)
  expect(broken.stdout).toContain('E_MODEL_LOAD_FAILED')
  await rm(optimized, { recursive: true })
  await runWhole(sheet, join(folder, 'again'), ['--dry-run'], { env })
})
