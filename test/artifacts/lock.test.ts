import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acquireLock } from '../../src/artifacts/lock.ts'
import { type CompiledSource, compileSource } from '../support/child.ts'
import { temporaryFolder } from '../support/temp.ts'

let source: CompiledSource
beforeAll(async () => {
  source = await compileSource(['artifacts', 'images'])
})
afterAll(() => source.remove())

/** Holds the lock until a file is there. */
const HOLD = `
  import { existsSync } from 'node:fs'
  import { acquireLock } from './src/artifacts/lock.js'
  try {
    const lock = await acquireLock(process.argv[2])
    console.log('held')
    const [, , , go] = process.argv
    const timer = setInterval(async () => {
      if (!existsSync(go)) return
      clearInterval(timer)
      await lock.release()
    }, 20)
  } catch (error) {
    console.log(error.code + ' ' + error.message)
    process.exitCode = 2
  }
`

const NEVER = '/nowhere/go'
/** What a holder that says nothing more is given: six heartbeats. */
const PATIENCE_MS = 30_000

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 50_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('waited in vain')
    await sleep(10)
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

describe('output lock', () => {
  it('is held, names its holder, and is gone when released', async () => {
    const path = join(await temporaryFolder(), '.pregen/lock')
    const lock = await acquireLock(path)
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() })
    expect(await readdir(dirname(path))).toEqual(['lock'])
    await lock.release()
    expect(await readdir(dirname(path))).toEqual([])
    await (await acquireLock(path)).release()
  })

  it('turns a second process away at once, naming PID and host of the first', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const first = source.start(HOLD, [path, NEVER])
    await waitFor(() => exists(path))
    const start = performance.now()
    const work = acquireLock(path)
    await expect(work).rejects.toMatchObject({ code: 'E_LOCKED', exitCode: 2 })
    await expect(work).rejects.toThrow(`process ${first.process.pid} on ${hostname()}`)
    expect(performance.now() - start).toBeLessThan(PATIENCE_MS / 3)
    first.process.kill('SIGKILL')
    await first.ended
  })

  it('heals at once after a holder that was killed', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const first = source.start(HOLD, [path, NEVER])
    await waitFor(() => exists(path))
    first.process.kill('SIGKILL')
    await first.ended
    const start = performance.now()
    const lock = await acquireLock(path)
    expect(performance.now() - start).toBeLessThan(PATIENCE_MS / 3)
    await lock.release()
  })

  it('is not fooled by another process that got the dead one’s PID', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const lock = await acquireLock(path)
    const { process: identity, ...rest } = lock.holder
    expect(identity).not.toBeNull()
    await lock.release()
    // This very PID runs, but it started at another time than the holder did.
    const other = `${identity?.slice(0, identity.lastIndexOf(':'))}:1`
    await writeFile(path, JSON.stringify({ ...rest, process: other, nonce: 'dead' }))
    await (await acquireLock(path)).release()
  })

  it('waits for the heartbeat of another machine, and heals when it stops', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const foreign = {
      host: 'elsewhere',
      pid: 7,
      startedAt: '2026-01-01T00:00:00.000Z',
      process: 'boot:pid:1',
      nonce: 'foreign',
    }
    await writeFile(path, JSON.stringify(foreign))
    await expect(acquireLock(path)).rejects.toThrow(/process 7 on elsewhere/)
    const past = new Date(Date.now() - 60_000)
    await utimes(path, past, past)
    await (await acquireLock(path)).release()
  })

  it('judges a lock that nobody can read by its age', async () => {
    const path = join(await temporaryFolder(), 'lock')
    await writeFile(path, 'torn {')
    await expect(acquireLock(path)).rejects.toMatchObject({ code: 'E_LOCKED' })
    const past = new Date(Date.now() - 60_000)
    await utimes(path, past, past)
    await (await acquireLock(path)).release()
  })

  it('beats, and tells when it was taken over', async () => {
    const path = join(await temporaryFolder(), 'lock')
    let lost = 0
    const lock = await acquireLock(path, { heartbeatMs: 20, onLost: () => void lost++ })
    const past = new Date(Date.now() - 60_000)
    await utimes(path, past, past)
    await waitFor(async () => Date.now() - (await stat(path)).mtimeMs < 30_000)
    expect(lost).toBe(0)
    const taken = JSON.stringify({ ...lock.holder, nonce: 'another' })
    await writeFile(path, taken)
    await waitFor(async () => lost > 0)
    await lock.release()
    expect(lost).toBe(1)
    expect(await readFile(path, 'utf8')).toBe(taken)
  })

  it('tells once that it was taken over, however many beats are due', async () => {
    const path = join(await temporaryFolder(), 'lock')
    let lost = 0
    const lock = await acquireLock(path, { onLost: () => void lost++ })
    await writeFile(path, JSON.stringify({ ...lock.holder, nonce: 'another' }))
    await Promise.all([lock.check(), lock.check(), lock.check()])
    await lock.release()
    expect(lost).toBe(1)
  })

  it('goes to one of many who find the same dead lock', async () => {
    const path = join(await temporaryFolder(), 'lock')
    const dead = source.start(HOLD, [path, NEVER])
    // The lock alone: what it was made of is gone, too, before its holder is.
    await waitFor(async () => (await readdir(dirname(path))).join() === 'lock')
    dead.process.kill('SIGKILL')
    await dead.ended
    const go = join(await temporaryFolder(), 'go')
    const six = Array.from({ length: 6 }, () => source.start(HOLD, [path, go]).ended)
    let ended = 0
    for (const end of six) void end.then(() => ended++)
    await waitFor(async () => ended === 5)
    await writeFile(go, '')
    const ends = await Promise.all(six)
    expect(ends.filter((end) => end.stdout.startsWith('held'))).toHaveLength(1)
    expect(ends.filter((end) => end.stdout.startsWith('E_LOCKED'))).toHaveLength(5)
    expect((await readdir(dirname(path))).filter((name) => name !== 'lock')).toEqual([])
  })
})
