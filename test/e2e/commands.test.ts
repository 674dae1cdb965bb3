/** The commands around a run: upload, verify, init, schema, doctor, models inspect; and input that is refused. */
import { cp, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createS3Storage } from '../../src/storage/s3.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type CliOptions, runCli } from '../support/cli.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, DEFAULTS, runWhole, TINY_SD15, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()

describe('upload and verify', () => {
  let moto: MotoServer
  let proxy: FaultProxy
  let bucket: Storage
  beforeAll(async () => {
    moto = await startMoto()
    await moto.createBucket('show')
    proxy = await startFaultProxy(moto.endpoint)
    bucket = createS3Storage({ bucket: 'show', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
  }, 600_000)
  afterAll(async () => {
    await bucket.close()
    await proxy.stop()
    await moto.stop()
  })

  it('a tree that was made without the bucket is sent, proven, mended and proven again', async () => {
    const sheet = await writeSheet(
      scratch.folder,
      tinySheet({
        programs: { P1: { previews: { method: 'latent2rgb' } } },
        cues: { dawn: { program: 'P1', prompt: 'misty mountains', seeds: [1, 2] } },
        storage: { bucket: 'show', endpoint: proxy.endpoint },
      }),
    )
    const out = join(scratch.folder, 'out')
    await runWhole(sheet, out, ['--dry-run'])
    expect(proxy.requests.size).toBe(0)
    const env: CliOptions = { env: BUCKET_ENV }

    const sent = await runCli(['upload', out, '--sheet', sheet], env)
    expect([sent.code, sent.stderr]).toEqual([0, expect.stringMatching(/^11 objects \(.*\) sent, 0 there/)])
    // The marker of each variant goes after its pictures, the manifest after all.
    const puts = [...proxy.requests.keys()].filter((key) => key.startsWith('PUT /show/foigoi/'))
    for (const seed of [1, 2]) {
      const own = puts.filter((key) => key.includes(`/seed-${seed}/`))
      expect(own.length).toBe(5)
      expect(own.at(-1)).toMatch(/timing\.json$/)
    }
    expect(puts.at(-1)).toMatch(/manifest\.json$/)

    const whole = await runCli(['verify', out, '--bucket'], env)
    expect([whole.code, whole.stdout]).toEqual([0, '2 variants, 10 files, 11 objects in the bucket: whole\n'])
    const again = await runCli(['upload', out], env)
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/^0 objects .* sent, 11 there/)])

    await bucket.delete('foigoi/v1/cues/dawn/seed-2/2.png')
    const lacking = await runCli(['verify', out, '--bucket'], env)
    expect(lacking.code).toBe(3)
    expect(lacking.stdout).toContain('bucket  foigoi/v1/cues/dawn/seed-2/2.png')
    const mended = await runCli(['upload', out, '--verify-remote'], env)
    expect(mended.code).toBe(0)
    expect((await runCli(['verify', out, '--bucket'], env)).code).toBe(0)

    const picture = join(out, 'foigoi/v1/cues/dawn/seed-1/final.png')
    await writeFile(picture, Buffer.from(await readFile(picture)).fill(1, 70, 71))
    const damaged = await runCli(['verify', out, '--json'])
    expect(damaged.code).toBe(3)
    expect(JSON.parse(damaged.stdout).problems).toMatchObject([
      { where: 'disk', key: 'foigoi/v1/cues/dawn/seed-1/final.png' },
    ])
  }, 600_000)
})

describe('the small commands', () => {
  it('init writes a sheet once, schema describes it', async () => {
    const folder = join(scratch.folder, 'init')
    await mkdir(folder)
    const first = await runCli(['init'], { cwd: folder })
    expect([first.code, first.stdout]).toEqual([0, ''])
    expect(await readFile(join(folder, 'cues.yaml'), 'utf8')).toContain('version: first-night')
    const second = await runCli(['init'], { cwd: folder })
    expect(second.code).toBe(2)
    expect(second.stderr).toContain('E_FILE_EXISTS')
    const schema = await runCli(['schema'])
    expect(schema.code).toBe(0)
    expect(Object.keys(JSON.parse(schema.stdout).properties)).toEqual(
      expect.arrayContaining(['version', 'programs', 'cues', 'storage', 'callback']),
    )
  }, 600_000)

  it('models inspect and doctor tell what is there', async () => {
    const inspect = await runCli(['models', 'inspect', TINY_SD15.path, '--json'])
    expect(inspect.code).toBe(0)
    expect(JSON.parse(inspect.stdout)).toMatchObject({
      className: 'StableDiffusionPipeline',
      previews: ['latent2rgb', 'full'],
    })
    const sheet = await writeSheet(
      scratch.folder,
      tinySheet({ programs: { P0: {} }, cues: { a: { program: 'P0', prompt: 'sea', seeds: [1] } } }),
      'doctor.yaml',
    )
    const doctor = await runCli(['doctor', sheet, '--json'])
    expect(doctor.code).toBe(0)
    const findings: { area: string; name: string; works: boolean; help: string | null }[] = JSON.parse(
      doctor.stdout,
    )
    for (const [area, name] of [
      ['runtime', 'node'],
      ['provider', 'cpu'],
      ['model', 'tiny'],
    ]) {
      expect(findings).toContainEqual(expect.objectContaining({ area, name, works: true }))
    }
    for (const { works, help } of findings) expect(help === null).toBe(works)
  }, 600_000)
})

describe('input that is refused', () => {
  const sheetOf = (cue: string, rest = '') =>
    [
      'version: v1',
      `models: { tiny: ${TINY_SD15.path} }`,
      `defaults: ${JSON.stringify(DEFAULTS)}`,
      'programs: { P0: {} }',
      'cues:',
      `  dawn: { program: P0, prompt: sea, ${cue} }`,
      rest,
    ].join('\n')

  /** Exit code 2, one clear place, and neither an event nor a model. */
  async function expectRefused(text: string, ...says: string[]): Promise<void> {
    const path = join(scratch.folder, 'bad.yaml')
    await writeFile(path, text)
    const run = ['run', path, '--dry-run', '--format', 'ndjson', '--out', join(scratch.folder, 'none')]
    const { code, stdout, stderr } = await runCli(run)
    expect([stderr, code, stdout]).toEqual([stderr, 2, ''])
    for (const words of says) expect(stderr).toContain(words)
    expect(stderr).not.toContain('E_BUG')
  }

  it.each([
    ['an unknown key', sheetOf('seeds: [1], stps: 3'), 'bad.yaml:6:', 'E_UNKNOWN_KEY', 'steps'],
    ['a tab', sheetOf('seeds: [1]', '\tx: 1'), 'bad.yaml:7:1'],
    ['a number as an id', sheetOf('variants: { 001: { seed: 1 } }'), 'bad.yaml:6:', '"001"'],
    ['no steps', sheetOf('seeds: [1], steps: 0'), 'bad.yaml:6:', 'steps'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sheet's own placeholder
    ['an unset variable', sheetOf('seeds: [1], negative_prompt: "${NOT_SET_ANYWHERE}"'), 'NOT_SET_ANYWHERE'],
    ['an odd width', sheetOf('seeds: [1], width: 65'), 'bad.yaml:6:', '65'],
    ['a missing image', sheetOf('seeds: [1], image: none.png, denoise_strength: 0.5'), 'E_IMAGE_MISSING'],
  ])(
    '%s',
    async (_, text, ...says) => {
      await expectRefused(text, ...says)
    },
    600_000,
  )

  it('an image that is a web page', async () => {
    await writeFile(join(scratch.folder, 'page.png'), '<!doctype html><html><body>404</body></html>')
    await expectRefused(sheetOf('seeds: [1], image: page.png, denoise_strength: 0.5'), 'dawn/seed-1', 'HTML')
  }, 600_000)

  it('faults of three kinds, all in one report', async () => {
    await expectRefused(
      sheetOf('seeds: [1], steps: 0, guidance_scale: .nan, shceduler: euler'),
      'E_UNKNOWN_KEY',
      'scheduler',
      'guidance_scale',
      '3 faults; nothing was run.',
    )
  }, 600_000)

  it.each([
    ['missing', (folder: string) => rm(folder, { recursive: true }), 'E_MODEL'],
    [
      'a Git LFS pointer',
      (folder: string) =>
        writeFile(
          join(folder, 'unet/model.onnx'),
          'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
        ),
      'git lfs pull',
    ],
    ['cut off', (folder: string) => truncate(join(folder, 'vae_decoder/model.onnx'), 5000), 'vae_decoder'],
  ])(
    'a model that is %s',
    async (_, damage, says) => {
      const folder = join(scratch.folder, 'model')
      await cp(TINY_SD15.path, folder, { recursive: true })
      await damage(folder)
      await expectRefused(sheetOf('seeds: [1]').replace(TINY_SD15.path, folder), says)
      await rm(folder, { recursive: true, force: true })
    },
    600_000,
  )
})
