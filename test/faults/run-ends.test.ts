import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startServer } from '../net/local-server.ts'
import { eventOf, packageRoot } from '../support/cli.ts'
import {
  finishedUnits,
  pictureHashes,
  runSheet,
  runWhole,
  tinySheet,
  unitsOf,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { cancel, refuse } from './run-ends.ts'

const scratch = createScratch()

describe('a run that ends early', () => {
  it('says why its bucket was refused, every time', () => refuse(scratch.folder, 4), 600_000)

  it('ends by its own words when it is cancelled at any moment', async () => {
    const seed = Number(process.env.PREGEN_TEST_SEED ?? 20261128)
    expect(await cancel(scratch.folder, 6, seed)).toBeGreaterThan(0)
  }, 600_000)

  it('does not wait for an init image that does not come when it is cancelled', async () => {
    let asked: () => void = () => undefined
    const whenAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    // It accepts and never answers.
    const server = await startServer('https', () => asked())
    try {
      const image = `https://127.0.0.1:${server.port}/stage.png`
      const cues = { dawn: { program: 'P0', prompt: 'x', image, denoise_strength: 0.5, seeds: [1] } }
      const programs = { P0: {} }
      const env = { NODE_EXTRA_CA_CERTS: join(packageRoot, 'test/fixtures/net/test-only-certificate.pem') }
      const sheet = await writeSheet(scratch.folder, tinySheet({ programs, cues }), 'image.yaml')
      const args = ['--dry-run', '--fetch', '--allow-private-urls']
      const { code, signal } = await runSheet(sheet, join(scratch.folder, 'image'), args, {
        env,
        onStart: (child) => void whenAsked.then(() => child.kill('SIGINT')),
      })
      // By its own exit: had it waited, the signal would have ended it long before the request gives up.
      expect({ code, signal }).toEqual({ code: 130, signal: null })
    } finally {
      await server.close()
    }
  }, 600_000)
})

describe('an inference process that crashes', () => {
  const programs = { P0: {} }
  const cues = { dawn: { program: 'P0', prompt: 'misty mountains', seeds: [1, 2, 3] } }

  it('is started again, and the picture in its hands is drawn again, to the same bytes', async () => {
    const sheet = await writeSheet(scratch.folder, tinySheet({ programs, cues }), 'crash.yaml')
    const out = join(scratch.folder, 'crash')
    const env = { PREGEN_FAULTS: 'step#5=crash' }
    const { status, events } = await runSheet(sheet, out, ['--dry-run'], { env })
    expect(status).toBe(0)
    expect(eventOf(events, 'warning').code).toBe('W_WORKER_DIED')
    expect(unitsOf(events, 'unit-restarted')).toEqual(['dawn/seed-2'])
    expect(unitsOf(events, 'unit-started')).toHaveLength(3)
    expect((await finishedUnits(out)).sort()).toEqual(['dawn/seed-1', 'dawn/seed-2', 'dawn/seed-3'])
    // Nothing is left to do, and the digests hold.
    expect(unitsOf((await runWhole(sheet, out, ['--dry-run'])).events, 'unit-skipped')).toHaveLength(3)
  }, 600_000)

  it('two devices draw what one draws', async () => {
    const sheet = await writeSheet(scratch.folder, tinySheet({ programs, cues }), 'devices.yaml')
    const [one, two] = [join(scratch.folder, 'one'), join(scratch.folder, 'two')]
    const { events } = await runWhole(sheet, one, ['--dry-run'])
    const both = await runWhole(sheet, two, ['--dry-run', '--devices', '0,1'])
    expect(both.events.filter(({ type }) => type === 'model-loaded')).toHaveLength(2)
    const manifests = [events, both.events].map((all) => eventOf(all, 'run-finished').done)
    expect(manifests).toEqual([3, 3])
    expect(await pictureHashes(two)).toEqual(await pictureHashes(one))
    expect((await readdir(join(two, '.pregen'))).sort()).toEqual(['ledger.ndjson', 'runs'])
  }, 600_000)
})
