/** What a hurried user types, and where output goes that nobody can take. */
import { spawnSync } from 'node:child_process'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { pregenBin, runCli } from '../support/cli.ts'
import { startMoto } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
let sheet: string

beforeAll(async () => {
  sheet = await writeSheet(
    scratch.folder,
    tinySheet({ programs: { P0: {} }, cues: { a: { program: 'P0', prompt: 'x', seeds: [1] } } }),
  )
  await writeFile(join(scratch.folder, 'file'), '')
  await mkdir(join(scratch.folder, 'empty'))
})

async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(args, { cwd: scratch.folder })
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).not.toMatch(/E_BUG|\n {4}at /)
  return stderr
}

describe('an option without a value, as an unset variable gives', () => {
  it.each(['--out', '--cue', '--variant', '--program'])('%s ""', async (option) => {
    expect(await refused('plan', sheet, option, '')).toContain('It must not be empty.')
  })
})

it('starts each unit of an a1111 batch once, however long the prompts', async () => {
  const long = 'a (fox:1.2) in the snow, '.repeat(30)
  const variants = {
    a: { prompt: 'a fox' },
    b: { prompt: long },
    c: { prompt: long },
    d: { prompt: 'a hill' },
  }
  const cue = { program: 'P0', prompt_syntax: 'a1111', batch: 4, variants }
  const weighted = tinySheet({ programs: { P0: {} }, cues: { a: cue } })
  const path = await writeSheet(scratch.folder, weighted, 'weighted.yaml')
  const { status, events } = await runSheet(path, join(scratch.folder, 'weighted'), ['--dry-run'])
  expect(status).toBe(0)
  const started = events.flatMap((event) => (event.type === 'unit-started' ? [event.variant] : []))
  expect(started).toEqual(['a', 'b', 'c', 'd'])
})

describe('a folder that is not what it should be', () => {
  it.each(['verify', 'upload'])('%s of one that is not there is refused, and makes none', async (command) => {
    expect(await refused(command, 'nowhere')).toContain('There is no folder nowhere.')
    await expect(access(join(scratch.folder, 'nowhere'))).rejects.toThrow()
    expect(await refused(command, 'file')).toContain('E_OUTPUT_FOLDER')
  })

  it('verify of an empty one does not say that it is whole', async () => {
    expect(await refused('verify', 'empty')).toContain('E_NOTHING_TO_VERIFY')
  })

  it('upload of an empty one does not say that all is well', async () => {
    const moto = await startMoto()
    await moto.createBucket('show')
    const storage = { bucket: 'show', endpoint: moto.endpoint }
    const cues = { a: { program: 'P0', prompt: 'x', seeds: [1] } }
    const bucket = await writeSheet(
      scratch.folder,
      tinySheet({ programs: { P0: {} }, cues, storage }),
      'b.yaml',
    )
    try {
      const sent = await runCli(['upload', 'empty', '--sheet', bucket], {
        cwd: scratch.folder,
        env: BUCKET_ENV,
      })
      expect([sent.code, sent.stderr]).toEqual([2, expect.stringContaining('E_NOTHING_TO_UPLOAD')])
    } finally {
      await moto.stop()
    }
  }, 600_000)

  it('run into one that cannot be written is refused', async () => {
    const out = join(scratch.folder, 'unwritable')
    await mkdir(out)
    // A file in the place of the state's folder stops root too, whom no permission stops.
    await writeFile(join(out, '.pregen'), '')
    expect(await refused('run', sheet, '--dry-run', '--out', out)).toContain('E_')
  })

  it('plan with a file as the output folder', async () => {
    expect(await refused('plan', sheet, '--out', 'file')).toContain('E_OUTPUT_FOLDER')
  })

  it('calibrate tells of a folder that it cannot write to before it draws', async () => {
    const model = join(scratch.folder, 'empty')
    expect(await refused('models', 'calibrate', model, '--out', 'nowhere/preview.json')).toContain(
      'E_WRITE_FAILED',
    )
  })
})

describe('an image that is wrong', () => {
  it('is told with its place in the sheet', async () => {
    const cues = { a: { program: 'P0', prompt: 'x', image: 'gone.png', seeds: [1] } }
    const wrong = await writeSheet(scratch.folder, tinySheet({ programs: { P0: {} }, cues }), 'wrong.yaml')
    expect(await refused('plan', wrong)).toMatch(
      /^\S*wrong\.yaml:\d+:\d+ {2}E_IMAGE_MISSING\n {2}a\/seed-1: /,
    )
  })
})

/** Through a shell, for what a child process cannot be given otherwise. */
function shell(line: string) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], {
    env: { ...process.env, PREGEN: `${process.execPath} ${pregenBin}`, SHEET: sheet },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

describe('streams', () => {
  it('a sheet may come through a pipe', () => {
    const { status, stdout } = shell(
      '$PREGEN plan <(sed "s/v1/piped/; s/\\"tiny\\"/\\"backdrop\\"/" $SHEET) --json',
    )
    expect([status, JSON.parse(stdout).version]).toEqual([0, 'piped'])
  })

  it('a full disk under stdout is told on stderr, without a stack, and in the exit code', () => {
    const { status, stderr } = shell('$PREGEN schema > /dev/full')
    expect(status).toBe(3)
    expect(stderr).toMatch(/^E_WRITE_FAILED\n {2}stdout cannot be written: .*\n {2}.*\n$/)
  })

  it('a full disk under stderr, or a reader that left, changes nothing', () => {
    expect(shell('$PREGEN plan $SHEET 2> /dev/full').status).toBe(0)
    expect(shell('set -o pipefail; $PREGEN schema | head -1').status).toBe(0)
  })
})
