/** On a terminal (a pseudo-terminal of `script`, which every Debian has): bars while it works, then plain lines. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot, pregenBin } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { BUCKET_ENV, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
let moto: MotoServer
beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
})
afterAll(() => moto.stop())

/** All that a terminal was sent, and the exit code. */
function onTerminal(args: readonly string[], env: Record<string, string>) {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
  const command = [process.execPath, pregenBin, ...args].map(quote).join(' ')
  const { PATH, HOME, TMPDIR } = process.env
  // 100 columns; a new pseudo-terminal has none.
  const child = spawn('script', ['-qec', `stty cols 100; ${command}`, '/dev/null'], {
    cwd: packageRoot,
    env: {
      PATH,
      HOME,
      ...(TMPDIR ? { TMPDIR } : {}),
      TERM: 'xterm',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return new Promise<{ code: number | null; text: string }>((resolve, reject) => {
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
  })
}

/** What is read in the end: lines without the codes that move and colour. */
function lines(text: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal codes begin with one
  const bare = text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[78]/g, '')
  return bare.split(/\r?\n|\r/).filter((line) => line.trim() !== '')
}

describe('on a terminal', () => {
  it('run and upload draw bars, and end with a summary on lines of its own', async () => {
    const out = join(scratch.folder, 'out')
    const cues = { dawn: { program: 'P1', prompt: 'misty mountains', seeds: [1, 2] } }
    const programs = { P1: { previews: { method: 'latent2rgb' } } }
    const storage = { bucket: 'show', endpoint: moto.endpoint }
    const sheet = await writeSheet(scratch.folder, tinySheet({ programs, cues, storage }))

    const run = await onTerminal(['run', sheet, '--out', out, '--provider', 'cpu', '--dry-run'], BUCKET_ENV)
    expect([run.code, run.text]).toEqual([0, expect.stringMatching(/units {3}█+ 2\/2/)])
    expect(run.text).toMatch(/steps {3}█+ 6\/6/)
    // The cursor is hidden while bars are drawn, and comes back.
    expect(run.text.lastIndexOf('\x1b[?25h')).toBeGreaterThan(run.text.lastIndexOf('\x1b[?25l'))
    const end = lines(run.text).slice(-3)
    expect(end[0]).toMatch(/^2 done, 0 skipped, 0 failed in \d/)
    expect(end[1]).toMatch(/s\/step on cpu, model loaded in/)
    expect(end[2]).toBe(join(out, 'foigoi/v1'))

    const upload = await onTerminal(['upload', out], BUCKET_ENV)
    expect([upload.code, upload.text]).toEqual([0, expect.stringMatching(/uploads █+ 11\/11/)])
    expect(lines(upload.text).at(-1)).toMatch(/^11 objects \(.*\) sent, 0 there already, 0 failed$/)

    // Where a log is written and no terminal is, neither draws; nor does a terminal that is told not to.
    const plain = await onTerminal(['upload', out, '--format', 'plain', '--verify-remote'], BUCKET_ENV)
    expect([plain.code, plain.text.includes('█')]).toEqual([0, false])
    const dumb = await onTerminal(['upload', out, '--verify-remote'], { ...BUCKET_ENV, TERM: 'dumb' })
    expect([dumb.code, dumb.text.includes('█'), dumb.text.includes('\x1b')]).toEqual([0, false, false])
  }, 300_000)
})
