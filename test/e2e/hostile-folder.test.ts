/** The command line on output folders that somebody else filled: a cache, an artifact, a pull request. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createS3Storage } from '../../src/storage/s3.ts'
import { type Canary, createCanary, placeOdd, SECRET } from '../support/canary.ts'
import { pregenBin, runCli } from '../support/cli.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runWhole, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const whole = join(scratch.folder, 'whole')
let moto: MotoServer
let proxy: FaultProxy
let sheet: string
let dry: string

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
  proxy = await startFaultProxy(moto.endpoint)
  const cues = { dawn: { program: 'P1', prompt: 'a prompt of mine', seeds: [1] } }
  const programs = { P1: { previews: { method: 'latent2rgb' } } }
  const storage = { bucket: 'show', endpoint: proxy.endpoint }
  sheet = await writeSheet(scratch.folder, tinySheet({ programs, cues, storage }))
  dry = await writeSheet(scratch.folder, tinySheet({ programs, cues }), 'dry.yaml')
  await runWhole(sheet, whole, ['--dry-run'], { env: { XDG_STATE_HOME: join(scratch.folder, 'mine') } })
}, 600_000)
afterAll(async () => {
  await proxy.stop()
  await moto.stop()
})

interface Case {
  readonly out: string
  readonly canary: Canary
}

/** A copy of the whole tree, and things outside. */
function setUp(): Case {
  const folder = mkdtempSync(join(scratch.folder, 'case-'))
  const out = join(folder, 'out')
  cpSync(whole, out, { recursive: true, preserveTimestamps: true })
  return { out, canary: createCanary(join(folder, 'canary')) }
}

const state = (name: string) => join('.pregen', name)
const env = (whose: string) => ({ ...BUCKET_ENV, XDG_STATE_HOME: join(scratch.folder, whose) })
const runDry = (out: string, ...more: string[]) => [
  'run',
  dry,
  '--out',
  out,
  '--dry-run',
  '--provider',
  'cpu',
  ...more,
]

describe('state paths', () => {
  it.each([
    ['folder-link', ''],
    ['pipe', ''],
    ['link', 'ledger.ndjson'],
    ['pipe', 'ledger.ndjson'],
    ['dangling', 'lock'],
    ['pipe', 'lock'],
    ['link', 'storage.json'],
    ['folder-link', 'live'],
  ] as const)(
    'a %s as .pregen/%s ends every command with exit code 2, and nothing is touched',
    async (kind, name) => {
      const { out, canary } = setUp()
      rmSync(join(out, state(name)), { recursive: true, force: true })
      placeOdd(kind, join(out, state(name)), canary)
      const before = canary.state()
      const commands = [runDry(out, '--force'), ['upload', out, '--sheet', sheet]]
      if (name === '' || name === 'ledger.ndjson') commands.push(['plan', dry, '--out', out], ['verify', out])
      if (name === 'storage.json') commands.push(['upload', out], ['verify', out, '--bucket'])
      for (const command of commands) {
        const { code, stderr } = await runCli(command, { env: env('mine') })
        expect([command[0], code, stderr]).toEqual([
          command[0],
          2,
          expect.stringMatching(/E_OUTPUT_(SYMLINK|KIND|FOLDER)/),
        ])
      }
      expect(canary.state()).toEqual(before)
      expect(readdirSync(canary.folder).sort()).toEqual(['live', 'private.png', 'profile'])
    },
    120_000,
  )

  it('are the owner’s alone after a run, and what is published follows the umask', () => {
    const modeOf = (path: string) => (statSync(join(whole, path)).mode & 0o777).toString(8)
    expect(['.pregen', state('ledger.ndjson'), state('storage.json')].map(modeOf)).toEqual([
      '700',
      '600',
      '600',
    ])
    const umask = process.umask()
    const published = 'foigoi/v1/cues/dawn/seed-1'
    expect(modeOf(published)).toBe((0o777 & ~umask).toString(8))
    expect(modeOf(`${published}/final.png`)).toBe((0o666 & ~umask).toString(8))
  })
})

describe('the published tree', () => {
  it.each(['foigoi', 'foigoi/v1/cues', 'foigoi/v1/cues/dawn/seed-1'])(
    '%s as a link is refused by a run, which makes nothing behind it',
    async (place) => {
      const { out, canary } = setUp()
      rmSync(join(out, place), { recursive: true })
      symlinkSync(canary.live, join(out, place))
      const before = canary.state()
      const { code, stderr, stdout } = await runCli(runDry(out, '--force'), { env: env('mine') })
      expect([code === 2 || code === 3, stderr + stdout]).toEqual([
        true,
        expect.stringContaining('is a symbolic link'),
      ])
      expect(canary.state()).toEqual(before)
      expect(readdirSync(canary.live).sort()).toEqual([
        '.pregen-1-0123456789ab.tmp',
        '1.png',
        'dawn',
        'final.png',
        'ledger.ndjson',
        'timing.json',
      ])
    },
    120_000,
  )

  it('files that are links are made anew in their own place', async () => {
    const { out, canary } = setUp()
    const folder = join(out, 'foigoi/v1/cues/dawn/seed-1')
    for (const name of readdirSync(folder)) {
      unlinkSync(join(folder, name))
      symlinkSync(name === 'timing.json' ? join(canary.folder, 'made') : canary.picture, join(folder, name))
    }
    unlinkSync(join(out, 'foigoi/v1/manifest.json'))
    symlinkSync(canary.text, join(out, 'foigoi/v1/manifest.json'))
    const before = canary.state()
    const { code, stderr } = await runCli(runDry(out), { env: env('mine') })
    expect([code, stderr]).toEqual([0, expect.any(String)])
    expect((await runCli(['verify', out])).code).toBe(0)
    expect([canary.state(), existsSync(join(canary.folder, 'made'))]).toEqual([before, false])
  }, 120_000)
})

describe('upload', () => {
  it('sends nothing to an address that came with the tree, until it is named on the command line', async () => {
    const { out } = setUp()
    const requests = new Map(proxy.requests)
    for (const command of [
      ['upload', out],
      ['verify', out, '--bucket'],
    ]) {
      const { code, stderr } = await runCli(command, { env: env('another') })
      expect([code, stderr]).toEqual([2, expect.stringContaining('E_BUCKET_FOREIGN')])
      expect(stderr).toContain('--sheet')
    }
    expect(new Map(proxy.requests)).toEqual(requests)
    const named = ['upload', out, '--bucket', 'show', '--endpoint', proxy.endpoint, '--prefix', 'named']
    const sent = await runCli(named, { env: env('another') })
    expect([sent.code, sent.stderr]).toEqual([0, expect.stringMatching(/^6 objects/)])
    const both = await runCli([...named, '--sheet', sheet], { env: env('another') })
    expect(both.code).toBe(2)
    expect(
      (await runCli(['upload', out, '--endpoint', proxy.endpoint], { env: env('mine') })).stderr,
    ).toContain('E_NO_BUCKET')
  }, 120_000)

  it('takes the address of this user’s own run, and not one that was changed since', async () => {
    const { out } = setUp()
    expect((await runCli(['upload', out], { env: env('mine') })).code).toBe(0)
    const path = join(out, state('storage.json'))
    writeFileSync(path, readFileSync(path, 'utf8').replace('"show"', '"shop"'))
    expect((await runCli(['upload', out], { env: env('mine') })).stderr).toContain('E_BUCKET_FOREIGN')
  }, 120_000)

  it('sends no file from behind a link, whoever made the tree', async () => {
    const bucket = createS3Storage({ bucket: 'show', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
    const { out, canary } = setUp()
    const final = join(out, 'foigoi/v1/cues/dawn/seed-1/final.png')
    unlinkSync(final)
    symlinkSync(canary.picture, final)
    const before = canary.state()
    const args = ['--bucket', 'show', '--endpoint', proxy.endpoint, '--prefix', 'linked']
    for (const whose of ['mine', 'another']) {
      expect((await runCli(['upload', out, ...args], { env: env(whose) })).code).toBe(3)
    }
    rmSync(join(out, '.pregen'), { recursive: true })
    expect((await runCli(['upload', out, ...args], { env: env('mine') })).code).toBe(3)
    for await (const { key } of bucket.list('')) {
      const body = Buffer.from((await bucket.get(key)) ?? [])
      expect([key, body.includes(SECRET), key.startsWith('linked/foigoi')]).toEqual([key, false, false])
    }
    expect(canary.state()).toEqual(before)
    await bucket.close()
  }, 120_000)
})

describe.runIf(process.getuid?.() === 0)('as a user who is not root', () => {
  it('the same holds', () => {
    // The proxy is in this very process, which waits here: the store is reached without it.
    const { out, canary } = setUp()
    const home = mkdtempSync(join(tmpdir(), 'pregen-user-'))
    try {
      const own = join(home, 'out')
      cpSync(out, own, { recursive: true, preserveTimestamps: true })
      for (const path of ['', ...readdirSync(own, { recursive: true, encoding: 'utf8' })])
        chownSync(join(own, path), 65534, 65534)
      for (const path of [scratch.folder, home]) chmodSync(path, 0o755)
      chownSync(home, 65534, 65534)
      renameSync(join(own, '.pregen'), join(own, 'kept'))
      symlinkSync(canary.live, join(own, '.pregen'))
      const before = canary.state()
      const run = (args: string[]) =>
        spawnSync(process.execPath, [pregenBin, ...args], {
          ...{ uid: 65534, gid: 65534, encoding: 'utf8' as const },
          env: { ...BUCKET_ENV, PATH: process.env.PATH, HOME: home },
        })
      const linked = run(['verify', own])
      expect([linked.status, linked.stderr]).toEqual([2, expect.stringContaining('E_OUTPUT_SYMLINK')])
      expect(canary.state()).toEqual(before)
      unlinkSync(join(own, '.pregen'))
      renameSync(join(own, 'kept'), join(own, '.pregen'))
      const named = run(['upload', own, '--bucket', 'show', '--endpoint', moto.endpoint, '--prefix', 'user'])
      expect([named.status, named.stderr]).toEqual([0, expect.stringMatching(/^6 objects/)])
      const foreign = run(['upload', own])
      expect([foreign.status, foreign.stderr]).toEqual([2, expect.stringContaining('E_BUCKET_FOREIGN')])
    } finally {
      rmSync(home, { recursive: true })
    }
  }, 120_000)
})
