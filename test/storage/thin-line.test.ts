/** Uploads over a thin line end whole, and a stopped process does not count the time that it stood still. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { retry } from '../../src/net/retry.ts'
import { watchSilence } from '../../src/net/silence.ts'
import { createPace } from '../../src/storage/pace.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { compileSource } from '../support/child.ts'
import { TEST_CREDENTIALS } from '../support/moto.ts'
import { startThinLine } from '../support/thin-line.ts'

/** A store that takes everything and keeps count. */
async function startStore() {
  const stored = new Map<string, number>()
  let puts = 0
  const server = createServer(async (request, response) => {
    const hash = createHash('md5')
    let size = 0
    try {
      for await (const chunk of request) {
        hash.update(chunk)
        size += chunk.length
      }
    } catch {
      return
    }
    puts += 1
    stored.set(String(request.url).replace(/\?.*/, ''), size)
    response.writeHead(200, { etag: `"${hash.digest('hex')}"` }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  return { endpoint: `http://127.0.0.1:${address.port}`, stored, puts: () => puts }
}

const objectOf = (i: number, bytes: number) => ({
  key: `foigoi/v/${i}`,
  body: new Uint8Array(bytes).fill(i),
  contentType: 'image/png',
  cacheControl: 'no-cache',
})

describe('a thin line', () => {
  // The two slower ones with a tenth of the bytes, and less of the time that an attempt has.
  it.each([60, 150, 1000])(
    'of %i kB/s takes 18 objects of 650 kB, each of them once',
    async (rate) => {
      const store = await startStore()
      const line = await startThinLine(store.endpoint, rate)
      const storage = createS3Storage({
        bucket: 'show',
        endpoint: line.endpoint,
        credentials: TEST_CREDENTIALS,
        timeouts: { attemptMs: rate < 100 ? 1000 : 3000, deadlineMs: 24_000 },
      })
      const bytes = rate === 1000 ? 650_000 : 65_000
      const results = await Promise.all(Array.from({ length: 18 }, (_, i) => storage.put(objectOf(i, bytes))))
      expect([...store.stored.values()]).toEqual(Array(18).fill(bytes))
      expect(results.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(18)
      await storage.close()
      await line.stop()
    },
    120_000,
  )
})

describe('the pace', () => {
  it('lets few begin, more with each that is confirmed, and fewer after one that was not heard of', async () => {
    const pace = createPace(1000)
    const ends: (() => void)[] = []
    let running = 0
    const add = () =>
      void pace.run(400, async () => {
        running += 1
        await new Promise<void>((resolve) => ends.push(resolve))
        running -= 1
      })
    for (let i = 0; i < 40; i++) add()
    await sleep(5)
    expect(running).toBe(2)
    for (let round = 0; round < 4; round++) {
      for (const end of ends.splice(0)) end()
      await sleep(5)
    }
    expect(running).toBeGreaterThan(7)
    const before = running
    for (let i = 0; i < 60; i++) add()
    pace.timedOut()
    pace.timedOut()
    for (let i = 0; i < 20; i++) pace.timedOut()
    for (const end of ends.splice(0, before)) end()
    expect(pace.allowanceMs()).toBeGreaterThan(0)
    for (let round = 0; round < 20; round++) {
      for (const end of ends.splice(0)) end()
      await sleep(1)
    }
  })

  it('lets an object larger than all through, alone', async () => {
    const pace = createPace(10)
    expect(await pace.run(1e9, async () => 'sent')).toBe('sent')
  })
})

describe('an attempt', () => {
  const options = { deadlineMs: 10_000, attemptMs: 60, baseMs: 1, capMs: 1, isRetryable: () => false }

  it('of which something is heard lasts as long as it takes', async () => {
    const { value } = await retry(async (_, heard) => {
      for (let i = 0; i < 10; i++) {
        await sleep(25)
        heard()
      }
      return 'whole'
    }, options)
    expect(value).toBe('whole')
  })

  it('of which nothing is heard ends', async () => {
    await expect(retry(() => new Promise(() => undefined), options)).rejects.toMatchObject({ attempts: 1 })
  })

  it('that trickles ends at its longest time', async () => {
    let ended = false
    const trickle = async (_: AbortSignal, heard: () => void) => {
      while (!ended) {
        await sleep(5)
        heard()
      }
    }
    await expect(retry(trickle, { ...options, longestMs: 150 })).rejects.toMatchObject({ attempts: 1 })
    ended = true
  })
})

it('silence is not counted while the process is stopped', async () => {
  expect(watchSilence).toBeTypeOf('function')
  const source = await compileSource(['net'])
  const script = await source.write(`
    import { watchSilence } from './src/net/silence.js'
    const watch = watchSilence({ limitMs: () => 1600, onSilent: () => console.log('silent', watch.totalMs()) })
    console.log('started')
  `)
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    await once(child.stdout, 'data')
    child.kill('SIGSTOP')
    await sleep(2500)
    child.kill('SIGCONT')
    await sleep(500)
    // Stopped for longer than the limit, and awake for less than it.
    expect(text).toBe('started\n')
    await once(child, 'exit')
    expect(text).toMatch(/silent/)
  } finally {
    child.kill('SIGKILL')
    await source.remove()
  }
}, 30_000)
