/** A real S3 server process for tests: moto's (`pip install "moto[server]"`), on a free port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'

export const TEST_CREDENTIALS = {
  accessKeyId: 'test-key-id',
  secretAccessKey: 'test-secret-access-key',
} as const

export interface MotoServer {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
  readonly port: number
  createBucket(name: string): Promise<void>
  stop(): Promise<void>
}

/** @throws Error where moto is not installed: these tests have nothing else to stand on */
export async function startMoto(): Promise<MotoServer> {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  let log = ''
  let failure: Error | undefined
  const child: ChildProcess = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.on('error', (error) => {
    failure = error
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    // moto writes a line per request: only the last of it is of use.
    log = (log + chunk.toString()).slice(-4000)
  })
  const deadline = performance.now() + 60_000
  while (!(await answers(endpoint))) {
    if (failure || child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(
        `these tests need moto's S3 server: pip install "moto[server]"\n${failure?.message ?? log}`,
      )
    }
    await sleep(100)
  }
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: TEST_CREDENTIALS,
  })
  return {
    endpoint,
    port,
    async createBucket(name) {
      await client.send(new CreateBucketCommand({ Bucket: name }))
    },
    async stop() {
      client.destroy()
      if (child.exitCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/moto-api/`)).ok
  } catch {
    return false
  }
}

/** A TCP port that nothing listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
