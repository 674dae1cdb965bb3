/** A store that means harm: whatever it answers, calls end, memory stays small, and no key leads elsewhere. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { PregenError } from '../../src/errors.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { TEST_CREDENTIALS } from '../support/moto.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

interface Hostile {
  readonly storage: Storage
  /** Requests so far. */
  readonly requests: () => number
  /** Bytes that left the server. */
  readonly sentBytes: () => number
  readonly openSockets: () => Promise<number>
}

type Answer = (response: ServerResponse, request: IncomingMessage, count: number) => void

async function hostile(answer: Answer, timeouts = {}): Promise<Hostile> {
  let requests = 0
  let closedBytes = 0
  const sockets = new Set<import('node:net').Socket>()
  const server = createServer({ maxHeaderSize: 65536 }, (request, response) => {
    request.resume()
    request.on('end', () => answer(response, request, ++requests))
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      closedBytes += socket.bytesWritten
      sockets.delete(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const storage = createS3Storage({
    bucket: 'show',
    endpoint: `http://127.0.0.1:${address.port}`,
    credentials: TEST_CREDENTIALS,
    timeouts: {
      deadlineMs: 900,
      attemptMs: 400,
      connectMs: 300,
      preflightMs: 900,
      listMs: 2000,
      ...timeouts,
    },
  })
  closers.push(async () => {
    await storage.close()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return {
    storage,
    requests: () => requests,
    sentBytes: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, closedBytes),
    async openSockets() {
      for (let round = 0; round < 50 && sockets.size > 0; round++) await new Promise((r) => setTimeout(r, 10))
      return sockets.size
    },
  }
}

/** Writes as long as the other side takes it. */
function flood(response: ServerResponse, bytes: string): void {
  const write = () => {
    while (!response.destroyed && response.write(bytes));
  }
  response.on('drain', write)
  write()
}

const page = (contents: string, rest = '<IsTruncated>false</IsTruncated>') =>
  `<?xml version="1.0"?><ListBucketResult><Name>show</Name>${rest}${contents}</ListBucketResult>`
const entry = (key: string, size = '3') =>
  `<Contents><Key>${key}</Key><Size>${size}</Size><ETag>"${'a'.repeat(32)}"</ETag></Contents>`
const xml =
  (status: number, body: string): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/xml' }).end(body)
  }

async function keysOf(storage: Storage, ignored: string[] = []): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of storage.list('foigoi/', { onIgnored: (key) => void ignored.push(key) }))
    keys.push(key)
  return keys
}

async function faultOf(work: Promise<unknown>): Promise<PregenError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof PregenError) return error
  throw error
}

const OBJECT = {
  key: 'foigoi/v/a',
  body: new TextEncoder().encode('abc'),
  contentType: 'a/b',
  cacheControl: 'c',
}
const CALLS: readonly [string, (storage: Storage) => Promise<unknown>][] = [
  ['LIST', (storage) => keysOf(storage)],
  ['PUT', (storage) => storage.put(OBJECT)],
  ['PUT under a condition', (storage) => storage.replace(OBJECT, null)],
  ['DELETE', (storage) => storage.delete('foigoi/v/a')],
]

describe('an answer without end', () => {
  it.each(CALLS.flatMap(([name, call]) => [200, 400].map((status) => [name, status, call] as const)))(
    'to a %s, with status %i, is read for a mebibyte or so and its socket closed',
    async (_, status, call) => {
      const store = await hostile((response) => {
        response.writeHead(status, { 'content-type': 'application/xml' })
        flood(response, `<a>${'x'.repeat(65536)}</a>`)
      })
      const error = await faultOf(call(store.storage))
      expect(error.code).toBe('E_ANSWER_TOO_LARGE')
      expect(store.requests()).toBe(1)
      // What the kernel holds on both sides is not read.
      expect(store.sentBytes()).toBeLessThan(16 * 1024 * 1024)
      expect(await store.openSockets()).toBe(0)
    },
  )

  it('to a GET is read to the limit that was given', async () => {
    const store = await hostile((response) => {
      response.writeHead(200, { etag: '"a"' })
      flood(response, 'x'.repeat(65536))
    })
    const error = await faultOf(store.storage.get('foigoi/v/manifest.json', { maxBytes: 100_000 }))
    expect(error.code).toBe('E_ANSWER_TOO_LARGE')
    expect(await store.openSockets()).toBe(0)
  })

  it('to a GET that says its length is not read at all', async () => {
    const store = await hostile((response) => {
      response.writeHead(200, { etag: '"a"', 'content-length': 2 ** 40 })
      response.write('x')
    })
    const error = await faultOf(store.storage.get('foigoi/v/manifest.json'))
    expect([error.code, await store.openSockets()]).toEqual(['E_ANSWER_TOO_LARGE', 0])
  })

  it('that trickles ends with its attempts, its sockets closed', async () => {
    const store = await hostile((response) => {
      response.writeHead(200, { etag: '"a"' })
      const timer = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(timer))
    })
    const get = (storage: Storage) => storage.get('foigoi/v/manifest.json')
    for (const call of [keysOf, get]) {
      expect((await faultOf(call(store.storage))).code).toBe('E_UPLOAD_TIMEOUT')
    }
    expect(await store.openSockets()).toBe(0)
  })
})

describe('a listing', () => {
  const truncated = (token: string) =>
    `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`

  it.each<[string, Answer]>([
    ['gives the same token again', xml(200, page(entry('foigoi/a'), truncated('again')))],
    [
      'goes in a circle',
      (r, _, count) => xml(200, page(entry('foigoi/a'), truncated(`t${count % 3}`)))(r, _, count),
    ],
    ['is empty and goes on', (r, _, count) => xml(200, page('', truncated(`t${count}`)))(r, _, count)],
    [
      'goes on for ever',
      (r, _, count) =>
        void setTimeout(() => xml(200, page(entry('foigoi/a'), truncated(`t${count}`)))(r, _, count), 30),
    ],
  ])('that %s ends', async (_, answer) => {
    const { storage } = await hostile(answer)
    expect((await faultOf(keysOf(storage))).code).toBe('E_LIST_ENDLESS')
  })

  it('that is cut off without saying where it goes on is no listing', async () => {
    const { storage } = await hostile(xml(200, page(entry('foigoi/a'), '<IsTruncated>true</IsTruncated>')))
    expect((await faultOf(keysOf(storage))).code).toBe('E_UPLOAD_UNCONFIRMED')
  })

  it('tells of keys that are none of ours, and passes them over', async () => {
    const strange = [
      'other/a',
      'foigoi/../../etc/passwd',
      'foigoi/./a',
      'foigoi/a\\b',
      'foigoi/a&#x1b;[2J',
      'foigoi/a&#10;::error::x',
      'foigoi/&#x202e;gnp',
      'foigoi',
    ]
    const { storage } = await hostile(
      xml(200, page([...strange, 'foigoi/é 1/b'].map((key) => entry(key)).join(''))),
    )
    const ignored: string[] = []
    expect(await keysOf(storage, ignored)).toEqual(['foigoi/é 1/b'])
    expect(ignored.length).toBe(strange.length)
  })

  it.each(['-5', '1e99', 'many', ''])(
    'with a size of %j is told, or gives a size that no file has',
    async (size) => {
      const { storage } = await hostile(xml(200, page(entry('foigoi/a', size))))
      const sizes: number[] = []
      const read = async () => {
        for await (const { sizeBytes } of storage.list('foigoi/')) sizes.push(sizeBytes)
      }
      const fault = await read().then(
        () => null,
        (error: unknown) => error,
      )
      if (fault === null) expect(sizes).toHaveLength(1)
      else expect(fault).toBeInstanceOf(PregenError)
      expect(sizes.every((n) => n < 1)).toBe(true)
    },
  )
})

describe('XML', () => {
  const laughs = `<!DOCTYPE l [<!ENTITY a "${'ha'.repeat(1000)}">${'b'
    .repeat(9)
    .split('')
    .map((_, i) => `<!ENTITY x${i} "${`&${i ? `x${i - 1}` : 'a'};`.repeat(10)}">`)
    .join('')}]>`
  it.each([
    ['a billion laughs', `${laughs}<Error><Code>&x8;</Code></Error>`],
    ['laughs in a listing', `${laughs}${page('<Contents><Key>&x8;</Key></Contents>')}`],
    [
      'a file as an entity',
      `<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>${page('<Contents><Key>foigoi/&a;</Key></Contents>')}`,
    ],
    ['many document types', '<!DOCTYPE a>'.repeat(80_000)],
    ['elements within elements', '<a>'.repeat(340_000)],
    ['many attributes', `<a ${'b="c" '.repeat(170_000)}>`],
    ['many comments', '<!---->'.repeat(140_000)],
    ['many entities', page(`<Contents><Key>${'&amp;'.repeat(200_000)}</Key></Contents>`)],
    ['many elements of one name', page('<Contents/>'.repeat(90_000))],
    ['a code of a mebibyte', `<Error><Code>${'C'.repeat(1_000_000)}</Code><Message>m</Message></Error>`],
    ['a prototype', `<Error><__proto__><Code>x</Code></__proto__><constructor>y</constructor></Error>`],
  ])(
    'with %s is no answer, and costs little',
    async (_, body) => {
      for (const status of [200, 400]) {
        const { storage } = await hostile(xml(status, body), { deadlineMs: 100 })
        const from = process.cpuUsage()
        const outcome = await keysOf(storage).catch((error: unknown) => error)
        const { user } = process.cpuUsage(from)
        // Under two seconds of processor time, many retries of a mebibyte each included.
        expect(user / 1e6).toBeLessThan(2)
        if (Array.isArray(outcome)) expect(outcome).toEqual([])
        else expect([outcome instanceof PregenError, String(outcome).length < 2000]).toEqual([true, true])
      }
    },
    30_000,
  )
})

describe('headers', () => {
  const etagOf =
    (etag: string): Answer =>
    (response) =>
      void response.writeHead(200, { etag }).end()
  it.each<[string, Answer]>([
    ['an ETag of 10 kB', etagOf(`"${'a'.repeat(10_000)}"`)],
    ['an ETag beyond ASCII', etagOf('"\xe9\xe9"')],
    ['an empty ETag', etagOf('""')],
    ['an ETag that lies', etagOf(`"${'0'.repeat(32)}"`)],
    ['no ETag', (response) => void response.end()],
  ])('%s confirms no PUT', async (_, answer) => {
    const { storage } = await hostile(answer)
    const error = await faultOf(storage.put(OBJECT))
    expect(error.code).toBe('E_UPLOAD_UNCONFIRMED')
    expect(error.message.length).toBeLessThan(1000)
  })

  it("of more than Node reads are no store's", async () => {
    const { storage } = await hostile((response) => {
      response
        .writeHead(200, Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`x-${i}`, 'y'.repeat(40)])))
        .end()
    })
    expect((await faultOf(storage.put(OBJECT))).code).toBe('E_WRONG_ENDPOINT')
  })

  it.each([
    ['more than comes', '100'],
    ['none', 'x'],
  ])('a length of %s is a broken answer, and ends with its attempts', async (_, length) => {
    const { storage } = await hostile((response) => {
      response.socket?.end(`HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: ${length}\r\n\r\nabc`)
    })
    expect((await faultOf(storage.get('foigoi/v/a'))).code).toMatch(
      /^E_(WRONG_ENDPOINT|UPLOAD_FAILED|UPLOAD_TIMEOUT)$/,
    )
  })

  it('101 is a broken answer', async () => {
    const { storage } = await hostile((response) => {
      response.socket?.end('HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    })
    for (const [, call] of CALLS) expect(await faultOf(call(storage))).toBeInstanceOf(PregenError)
  })
})
