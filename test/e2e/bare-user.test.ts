/** A container's usual user: a bare number without a home, on a root that is read-only, /tmp included. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot, pregenBin } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { BUCKET_ENV, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const writable = join(scratch.folder, 'writable')
const out = join(writable, 'out')
let moto: MotoServer
let dry: string
let sheet: string

beforeAll(async () => {
  const show = { programs: { P0: {} }, cues: { dawn: { program: 'P0', prompt: 'a hill', seeds: [1] } } }
  dry = await writeSheet(scratch.folder, tinySheet(show), 'dry.yaml')
  moto = await startMoto()
  await moto.createBucket('show')
  const storage = { bucket: 'show', endpoint: moto.endpoint }
  sheet = await writeSheet(scratch.folder, tinySheet({ ...show, storage }))
  mkdirSync(writable)
  // Whoever it is must be able to read the sheet, and to write to one folder.
  chmodSync(scratch.folder, 0o755)
  chmodSync(writable, 0o777)
}, 600_000)
afterAll(() => moto.stop())

// As a user, mounting asks for a namespace of its own, in which there is no other number to become.
const asRoot = process.getuid?.() === 0
const SETUP = `
  mount --make-rprivate / && mount --bind "$0" "$0"
  for place in / /tmp /var/tmp /dev/shm; do mountpoint -q $place && mount -o remount,bind,ro $place; done
  cd "$0"; umask 077
  exec setpriv --reuid 54321 --regid 54321 --clear-groups "$@"`

function asBareUser(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const variables = Object.entries({ PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: 'true', ...env })
  const words = ['env', '-i', ...variables.map(([name, value]) => `${name}=${value}`), process.execPath]
  const command = ['-m', 'bash', '-c', SETUP, writable, ...words, pregenBin, ...args]
  const { status, stdout, stderr } = spawnSync('unshare', command, { cwd: packageRoot, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const RUN = ['--dry-run', '--provider', 'cpu', '--threads', '1']

describe.runIf(asRoot)('as a bare uid without HOME, on a read-only root', () => {
  it('everything works that needs no home, no cache and no /tmp', () => {
    const probe = spawnSync('unshare', ['-m', 'bash', '-c', SETUP, writable, 'test', '-w', '/tmp'])
    expect(probe.status).toBe(1)
    for (const args of [
      ['plan', dry, '--out', out],
      ['run', dry, '--out', out, ...RUN],
      ['run', dry, '--out', out, ...RUN],
      ['verify', out],
      ['status', '--out', out],
      ['models', 'inspect', join(packageRoot, 'models/backdrop')],
      ['gallery', out],
      ['init', join(writable, 'new.yaml')],
    ]) {
      const { status, stderr } = asBareUser(args)
      expect([args[0], status, stderr]).toEqual([args[0], 0, expect.not.stringContaining('warning')])
    }
    const home = { HOME: '/nonexistent' }
    expect(asBareUser(['run', dry, '--out', join(writable, 'homeless'), ...RUN], home).status).toBe(0)
    const doctor = asBareUser(['doctor', dry])
    expect(doctor.stdout + doctor.stderr).not.toContain('E_BUG')
  }, 300_000)

  it.each([
    [['run', 'SHEET', '--out', out], {}, 2, /E_NO_CREDENTIALS[\s\S]*AWS_ACCESS_KEY_ID/],
    [['run', 'SHEET', '--out', out], { AWS_PROFILE: 'show' }, 2, /E_NO_CREDENTIALS[\s\S]*AWS_PROFILE/],
    [['upload', out, '--sheet', 'SHEET'], {}, 2, /E_NO_CREDENTIALS/],
    [['run', 'SHEET', '--out', out], BUCKET_ENV, 0, /uploaded/],
    [['upload', out, '--sheet', 'SHEET'], BUCKET_ENV, 0, /^[\s\S]*0 failed/],
    [['providers', 'list'], {}, 2, /E_NO_HOME[\s\S]*XDG_CACHE_HOME/],
    [['providers', 'install', 'cuda'], {}, 2, /E_NO_HOME[\s\S]*XDG_CACHE_HOME/],
    [['models', 'pull', 'owner/name'], {}, 2, /E_NO_HOME[\s\S]*HF_HOME/],
    [['verify', out, '--sheet', 'DRY', '--rerender', '1'], {}, 2, /E_NO_SCRATCH[\s\S]*TMPDIR/],
    [['verify', out, '--sheet', 'DRY', '--rerender', '1'], { TMPDIR: writable }, 0, /^$/],
    [['run', 'DRY', '--out', '/out', ...RUN], {}, 2, /E_OUTPUT_FOLDER[\s\S]*--out/],
  ] as const)(
    '%s with %j ends with %i and names what is missing',
    (args, env, code, words) => {
      const given = args.map((word) => (word === 'SHEET' ? sheet : word === 'DRY' ? dry : word))
      const allowed = { ...env, PREGEN_ALLOW_LOCAL_ENDPOINT: '1' }
      const { status, stderr } = asBareUser(given, allowed)
      expect([status, stderr]).toEqual([code, expect.stringMatching(words)])
    },
    120_000,
  )
})
