/** Runs that are asked to finish what is in hand, and runs whose terminal goes away. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { type CliOptions, packageRoot, pregenBin, runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, runWhole, tinySheet, unitsOf, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const UNITS = 24
const scratch = createScratch()
let moto: MotoServer
let sheet: string

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
  const seeds = Array.from({ length: UNITS }, (_, i) => i + 1)
  const cues = { dawn: { program: 'P1', prompt: 'misty mountains', seeds } }
  const storage = { bucket: 'show', endpoint: moto.endpoint }
  sheet = await writeSheet(scratch.folder, tinySheet({ programs: { P1: {} }, cues, storage }))
}, 600_000)
afterAll(() => moto.stop())

/** Once, when the third picture is begun. */
function sendAtThird(signal: NodeJS.Signals): Pick<CliOptions, 'onStdout'> {
  let stdout = ''
  let isSent = false
  return {
    onStdout(text, child) {
      stdout += text
      if (isSent || stdout.split('"type":"unit-started"').length <= 3) return
      isSent = true
      child.kill(signal)
    },
  }
}

describe('a run that is drained', () => {
  it('by SIGUSR1 finishes and sends the pictures in hand, exits with 75, and goes on from there', async () => {
    const out = join(scratch.folder, 'drained')
    const run = await runSheet(sheet, out, [], { env: BUCKET_ENV, ...sendAtThird('SIGUSR1') })
    expect(run.status).toBe(75)
    expect(run.stderr).toContain('SIGUSR1: finishing the pictures in hand')
    expect(run.stderr).not.toContain('ebugger')
    const started = unitsOf(run.events, 'unit-started')
    expect(unitsOf(run.events, 'unit-finished').sort()).toEqual(started.sort())
    const end = run.events.at(-1)
    expect(end).toMatchObject({ type: 'run-finished', drained: true, cancelled: false, failed: 0 })
    expect(end).toMatchObject({ done: started.length, left: UNITS - started.length, uploadsFailed: 0 })
    const storage = { bucket: 'show', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS }
    const store = createS3Storage(storage)
    const text = Buffer.from((await store.get('foigoi/v1/manifest.json')) ?? []).toString('utf8')
    expect(parseManifest(text, 'manifest.json').assets).toHaveLength(started.length)
    await store.close()
    const status = await runCli(['status', '--json', '--out', out])
    expect(JSON.parse(status.stdout)).toMatchObject({ state: 'drained', exit_code: 75 })
    const rerun = await runWhole(sheet, out, [], { env: BUCKET_ENV })
    expect(unitsOf(rerun.events, 'unit-finished')).toHaveLength(UNITS - started.length)
  }, 300_000)

  it('by the first SIGTERM under --drain', async () => {
    const out = join(scratch.folder, 'term')
    const run = await runSheet(sheet, out, ['--dry-run', '--drain'], sendAtThird('SIGTERM'))
    expect(run.status).toBe(75)
    expect(unitsOf(run.events, 'unit-finished').sort()).toEqual(unitsOf(run.events, 'unit-started').sort())
    expect(run.events.at(-1)).toMatchObject({ drained: true, cancelled: false })
  }, 300_000)
})

describe('a terminal that goes away', () => {
  it.each([
    ['nohup', 'nohup "$@" & echo "pid $!" >&2; wait $!'],
    ['a shell that ignores SIGHUP', 'trap "" HUP; "$@" & echo "pid $!" >&2; wait $!'],
  ])(
    'does not end a run under %s',
    async (_, script) => {
      const small = await writeSheet(
        scratch.folder,
        tinySheet({
          programs: { P1: {} },
          cues: { sea: { program: 'P1', prompt: 'sea', seeds: [1, 2, 3] } },
        }),
        'small.yaml',
      )
      const out = join(scratch.folder, script.slice(0, 4))
      const words = ['run', small, '--out', out, '--dry-run', '--format', 'ndjson', '--threads', '1']
      const child = spawn('bash', ['-c', script, 'bash', process.execPath, pregenBin, ...words], {
        cwd: packageRoot,
        env: { PATH: process.env.PATH, HOME: process.env.HOME },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let said = ''
      let drawn = ''
      let isSent = false
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        drawn += text
        const pid = /pid (\d+)/.exec(said)?.[1]
        if (isSent || pid === undefined || !drawn.includes('"unit-started"')) return
        isSent = true
        process.kill(Number(pid), 'SIGHUP')
      })
      const code = await new Promise((resolve) => child.on('close', resolve))
      expect([isSent, code, said]).toEqual([true, 0, expect.not.stringContaining('SIGHUP')])
      expect(drawn.split('"type":"unit-finished"')).toHaveLength(4)
    },
    120_000,
  )
})
