/** A real Redis server for tests (Debian: redis-server), on a free port, whose data outlives a restart. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from './moto.ts'

export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Ends it as a machine does that loses its power; what was confirmed is on its disk. */
  kill(): Promise<void>
  /** Starts it again with what it had. */
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * @param password that it wants of everybody; `url` has it
 * @throws Error where it is not installed: these tests have nothing else to stand on
 */
export async function startRedis({ password }: { password?: string } = {}): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'pregen-redis-'))
  let child: ChildProcess | null = null
  const start = async (): Promise<void> => {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    if (password !== undefined) args.push('--requirepass', password)
    const own = spawn('redis-server', [...args, '--appendonly', 'yes', '--appendfsync', 'always'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = own
    let log = ''
    let failure: Error | undefined
    own.on('error', (error) => {
      failure = error
    })
    for (const stream of [own.stdout, own.stderr])
      stream.on('data', (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-4000)
      })
    const deadline = performance.now() + 60_000
    while (!(await answers(port, password))) {
      if (failure || own.exitCode !== null || performance.now() > deadline) {
        own.kill('SIGKILL')
        throw new Error(`these tests need redis-server (Debian: redis-server)\n${failure?.message ?? log}`)
      }
      await sleep(50)
    }
  }
  const kill = async (): Promise<void> => {
    if (child === null || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    child = null
  }
  await start()
  return {
    url: `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`,
    port,
    kill,
    start,
    async stop() {
      await kill()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function answers(port: number, password: string | undefined): Promise<boolean> {
  const options = { port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null }
  const client = new Redis({ ...options, ...(password === undefined ? {} : { password }) })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return (await client.ping()) === 'PONG'
  } catch {
    return false
  } finally {
    client.disconnect()
  }
}
