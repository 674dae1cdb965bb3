import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RunList } from '../../src/watch/runs/run-list.ts'
import { type RunStatusJson, runStatusSchema } from '../../src/watch/runs/run-status.ts'
import { packageRoot, pregenBin, runCli } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'

const model = join(packageRoot, 'test/fixtures/oracle/models/sd15-tiny')
const sheet = (version: string, seeds: number, steps = 4) => `
version: ${version}
models: { tiny: ${model} }
defaults: { model: tiny, width: 64, height: 64, steps: ${steps}, guidance_scale: 1 }
programs: { P1: { previews: { method: latent2rgb } } }
cues: { dawn: { program: P1, prompt: a small fox, seeds: [${Array.from({ length: seeds }, (_, i) => i + 1).join(', ')}] } }
`

async function folderOfRuns() {
  const cwd = await temporaryFolder()
  const submit = async (version: string, seeds: number, steps?: number): Promise<string> => {
    await writeFile(join(cwd, `${version}.yaml`), sheet(version, seeds, steps))
    const args = ['run', `${version}.yaml`, '--dry-run', '--detach', '--format', 'ndjson']
    const { code, stdout, stderr } = await runCli(args, { cwd })
    expect(code, stderr).toBe(0)
    const answer = JSON.parse(stdout)
    expect(Object.keys(answer).sort()).toEqual(['eta_seconds', 'id', 'position', 'state', 'url'])
    return answer.id
  }
  const published = JSON.parse(await readFile(join(packageRoot, 'docs/run-status.schema.json'), 'utf8'))
  const documented = z.fromJSONSchema(published)
  const status = async (id: string): Promise<RunStatusJson> => {
    const { code, stdout, stderr } = await runCli(['status', id, '--json'], { cwd })
    expect(code, stderr).toBe(0)
    expect(documented.safeParse(JSON.parse(stdout)).error).toBeUndefined()
    return runStatusSchema.parse(JSON.parse(stdout))
  }
  const until = async (id: string, ...states: string[]): Promise<RunStatusJson> => {
    const end = performance.now() + 120_000
    for (;;) {
      const now = await status(id)
      if (states.includes(now.state)) return now
      if (performance.now() > end) throw new Error(`${id} is ${now.state}: ${JSON.stringify(now.error)}`)
      await sleep(100)
    }
  }
  return { cwd, submit, status, until }
}

/** Resolves when a process is no more: a zombie is none. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (stat === null || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')) return
    await sleep(10)
  }
}

describe('runs in the background', () => {
  it('go on when the terminal that started them closes', { timeout: 180_000 }, async () => {
    const { cwd, until } = await folderOfRuns()
    await writeFile(join(cwd, 'one.yaml'), sheet('one', 3, 200))
    // A shell that leads its group, as a terminal's does, and stays when the command has ended.
    const words = `"${process.execPath}" "${pregenBin}" run one.yaml --dry-run --detach; echo ready; sleep 600`
    const shell = spawn('bash', ['-c', words], { cwd, detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
    let said = ''
    for await (const text of shell.stdout) {
      said += String(text)
      if (said.includes('ready')) break
    }
    const exited = once(shell, 'exit')
    process.kill(-(shell.pid ?? 0), 'SIGHUP')
    await exited
    const id = said.split('\n')[0] ?? ''
    const { pid } = await until(id, 'running')
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // A session of its own.
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]).toBe(String(pid))
    expect((await until(id, 'done')).done).toBe(3)
  })

  it('go one after the other; one that is killed is told as died, and the next begins', {
    timeout: 300_000,
  }, async () => {
    const { cwd, submit, until } = await folderOfRuns()
    const first = await submit('one', 2)
    const second = await submit('two', 400, 40)
    const third = await submit('three', 1)
    expect([first, second, third]).toEqual([first, second, third].sort())
    const done = await until(first, 'done')
    expect(done).toMatchObject({ done: 2, left: 0, exit_code: 0, detached: true })
    expect(done.finished).toHaveLength(2)
    const { pid } = await until(second, 'running')
    process.kill(pid ?? 0, 'SIGKILL')
    await gone(pid ?? 0)
    // Told at the first look, not after a time.
    expect((await new RunList(join(cwd, 'out')).status(second))?.state).toBe('died')
    const died = await until(second, 'died')
    expect(died.continue_command).toBe(`pregen run two.yaml --out ${join(cwd, 'out')} --dry-run`)
    expect((await until(third, 'done')).done).toBe(1)
    const { stdout } = await runCli(['jobs', '--json'], { cwd })
    expect(JSON.parse(stdout).map(({ state }: RunStatusJson) => state)).toEqual(['done', 'died', 'done'])
    const log = await readFile(join(cwd, 'out/.pregen/runs', first, 'events.ndjson'), 'utf8')
    const events = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1))
    expect(new Set(events.map(({ run }) => run))).toEqual(new Set([first]))
  })

  it('are cancelled, waiting or at work', { timeout: 300_000 }, async () => {
    const { cwd, submit, status, until } = await folderOfRuns()
    const working = await submit('long', 400, 40)
    await until(working, 'running')
    const waiting = await submit('later', 1)
    await until(waiting, 'queued')
    const cancel = async (id: string) => expect((await runCli(['cancel', id], { cwd })).code).toBe(0)
    await cancel(waiting)
    expect(await until(waiting, 'cancelled')).toMatchObject({ done: 0, exit_code: 143 })
    // A terminal that closes is nothing to it.
    process.kill((await status(working)).pid ?? 0, 'SIGHUP')
    await cancel(working)
    expect(await until(working, 'cancelled')).toMatchObject({ exit_code: 143 })
    expect(existsSync(join(cwd, 'out/foigoi/later'))).toBe(false)
  })

  it('finish the picture in hand when they are drained', { timeout: 300_000 }, async () => {
    const { cwd, submit, status, until } = await folderOfRuns()
    const working = await submit('long', 400, 40)
    await until(working, 'running')
    while ((await status(working)).current === null) await sleep(50)
    const waiting = await submit('later', 1)
    await until(waiting, 'queued')
    for (const id of [waiting, working]) {
      expect((await runCli(['cancel', '--drain', id], { cwd })).code).toBe(0)
      const end = await until(id, 'drained')
      expect(end).toMatchObject({ exit_code: 75, failed: 0 })
      if (id === working) expect([end.done > 0, end.left > 0]).toEqual([true, true])
    }
    const { stdout } = await runCli(['status', working], { cwd })
    expect(stdout).toMatch(/drained[\s\S]*go on {4}pregen run long\.yaml/)
  })

  it('tell what is wrong before and after they begin', { timeout: 120_000 }, async () => {
    const { cwd, until } = await folderOfRuns()
    await writeFile(
      join(cwd, 'bad.yaml'),
      'version: x\nprograms: { P0: {} }\ncues: { a: { program: P9, prompt: x, seeds: [1] } }\n',
    )
    const refused = await runCli(['run', 'bad.yaml', '--dry-run', '--detach'], { cwd })
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toContain('bad.yaml:3:')
    expect(await readdir(join(cwd, 'out/.pregen/runs')).catch(() => [])).toEqual([])
    const gone = await runCli(['status', 'abcd'], { cwd })
    expect(gone.code).toBe(2)
    // A run that is refused once its turn has come leaves the reason.
    await writeFile(join(cwd, 'late.yaml'), sheet('late', 1))
    const submitted = await runCli(
      ['run', 'late.yaml', '--dry-run', '--provider', 'cuda', '--detach', '--format', 'ndjson'],
      { cwd },
    )
    const failed = await until(JSON.parse(submitted.stdout).id, 'failed')
    expect(failed.error?.code).toBe('E_PROVIDER_UNAVAILABLE')
  })
})

it('a run in the foreground keeps its log too, and leaves nothing public behind', {
  timeout: 120_000,
}, async () => {
  const { cwd } = await folderOfRuns()
  await writeFile(join(cwd, 'f.yaml'), sheet('f', 1))
  expect((await runCli(['run', 'f.yaml', '--dry-run'], { cwd })).code).toBe(0)
  const { stdout } = await runCli(['status', '--json'], { cwd })
  expect(runStatusSchema.parse(JSON.parse(stdout))).toMatchObject({ state: 'done', done: 1, detached: false })
  expect(await readdir(join(cwd, 'out'))).toEqual(['.pregen', 'foigoi'])
})
