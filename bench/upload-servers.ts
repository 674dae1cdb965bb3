/** Servers that the upload race can be run against, each a process of its own on this machine. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Sink {
  readonly description: string
  readonly endpoint: string
  /** Objects that have landed since the last reset. */
  landed(): Promise<number>
  /** Leaves an empty bucket of this name. */
  reset(bucket: string): Promise<void>
  stop(): void
}

/** The quickest that Node can do: it checks and answers MD5s and keeps no bodies. */
export async function startSink(root: string): Promise<Sink> {
  const child = spawn(process.execPath, [join(root, 'bench/s3-sink.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<string>((done) =>
    child.stdout.once('data', (text) => done(String(text).trim())),
  )
  const endpoint = `http://127.0.0.1:${port}`
  return {
    description: 'bench/s3-sink.mjs',
    endpoint,
    landed: async () => Number(await (await fetch(`${endpoint}/-/objects`)).text()),
    reset: async () => void (await fetch(`${endpoint}/-/reset`)),
    stop: () => child.kill(),
  }
}

/** moto's server (`pip install "moto[server]"`): all of S3's behaviour, and some milliseconds a request. */
export async function startMotoSink(): Promise<Sink> {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  for (let tries = 0; !(await answers(endpoint)); tries++) {
    if (child.exitCode !== null || tries > 300)
      throw new Error('the race needs moto_server (pip install "moto[server]")')
    await sleep(100)
  }
  let bucket = ''
  return {
    description: 'moto_server',
    endpoint,
    async landed() {
      let count = 0
      let token: string | undefined = ''
      while (token !== undefined) {
        const query: string = `list-type=2${token === '' ? '' : `&continuation-token=${encodeURIComponent(token)}`}`
        const page: string = await (await fetch(`${endpoint}/${bucket}?${query}`)).text()
        count += page.split('<Key>').length - 1
        token = /<NextContinuationToken>(.*?)</.exec(page)?.[1]
      }
      return count
    },
    async reset(name) {
      bucket = name
      await fetch(`${endpoint}/moto-api/reset`, { method: 'POST' })
      await fetch(`${endpoint}/${name}`, { method: 'PUT' })
    },
    stop: () => child.kill('SIGKILL'),
  }
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/moto-api/`)).status < 500
  } catch {
    return false
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
