import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot, pregenBin, runCli } from '../support/cli.ts'

describe('the command line', () => {
  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('lists its commands', async () => {
    const { code, stdout } = await runCli(['--help'])
    expect(code).toBe(0)
    for (const command of ['run', 'plan', 'upload', 'verify', 'doctor', 'models', 'schema', 'init']) {
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
    }
  })

  it.each([
    { args: ['rnu'], says: /unknown command 'rnu'/ },
    { args: ['run'], says: /missing required argument 'sheet'/ },
    {
      args: ['run', 'x.yaml', '--frmat', 'ndjson'],
      says: /unknown option '--frmat'[\s\S]*Did you mean --format/,
    },
    { args: ['run', 'x.yaml', '--concurrency', '0'], says: /1 or more/ },
    { args: ['run', 'x.yaml', '--provider', 'gpu'], says: /Allowed choices are auto, cuda/ },
    { args: ['run', 'no-such.yaml'], says: /E_SHEET_MISSING/ },
  ])('exits with 2 on bad usage: $args', async ({ args, says }) => {
    const { code, stdout, stderr } = await runCli(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(says)
  })

  it('answers --version and --help within three bare starts of Node', () => {
    const medianMs = (args: readonly string[]) => {
      const times = Array.from({ length: 7 }, () => {
        const before = performance.now()
        spawnSync(process.execPath, args)
        return performance.now() - before
      })
      return times.sort((a, b) => a - b)[3]!
    }
    // A ratio, since machines differ: 0.15 s is three to four times what Node alone takes to start.
    const bare = medianMs(['-e', '0'])
    expect(medianMs([pregenBin, '--version']) / bare).toBeLessThan(3)
    expect(medianMs([pregenBin, '--help']) / bare).toBeLessThan(3)
  })
})
