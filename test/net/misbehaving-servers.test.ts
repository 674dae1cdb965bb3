/** Every guarded request settles, whatever the server does: a table of servers, asked for an image and for a callback. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchHttps } from '../../src/net/fetch-https.ts'
import { postJson } from '../../src/net/post-json.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A server of bytes, which knows no HTTP. @returns its address */
async function serve(behave: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => behave(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}/stage.png?token=hunter2`
}

const TIMEOUT_MS = 400

const fetchFrom = (url: string) =>
  fetchHttps(url, { maxBytes: 1000, timeoutMs: TIMEOUT_MS, allowPrivate: true }).then(
    ({ bytes }) => bytes.toString('latin1'),
    (error: { code?: string }) => error.code ?? String(error),
  )
const postTo = (url: string) =>
  postJson(url, {}, { attempts: 1, timeoutMs: TIMEOUT_MS, baseDelayMs: 1, maxDelayMs: 1, allowPrivate: true })

/** Writes as long as the other side takes it. */
function flood(socket: Socket, bytes: string): void {
  const write = () => {
    while (!socket.destroyed && socket.write(bytes));
  }
  socket.on('drain', write)
  write()
}

const UNREACHABLE = 'E_IMAGE_URL_UNREACHABLE'
const STATUS = 'E_IMAGE_URL_STATUS'
const TIMEOUT = 'E_IMAGE_URL_TIMEOUT'

/** What a server does, what an image from it becomes, and what a callback to it becomes: a status, or null for none. */
const SERVERS: readonly [string, (socket: Socket) => void, image: string, callback: number | null][] = [
  [
    '101 with an upgrade',
    (s) => s.write('HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    STATUS,
    null,
  ],
  [
    '101 with an upgrade, and closes',
    (s) => s.end('HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    STATUS,
    null,
  ],
  ['101 without one', (s) => s.end('HTTP/1.1 101 S\r\n\r\n'), STATUS, 101],
  [
    '200 with an upgrade',
    (s) => s.end('HTTP/1.1 200 OK\r\nUpgrade: x\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok'),
    'ok',
    200,
  ],
  ['100 for ever', (s) => flood(s, 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(2000)), UNREACHABLE, null],
  [
    '103 for ever, with headers',
    (s) => flood(s, 'HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n'.repeat(2000)),
    UNREACHABLE,
    null,
  ],
  [
    '100 once, then an answer',
    (s) => s.end('HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    'ok',
    200,
  ],
  ['100, and closes', (s) => s.end('HTTP/1.1 100 C\r\n\r\n'), UNREACHABLE, null],
  ['204 with a body', (s) => s.end('HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\nhello'), STATUS, 204],
  [
    '304 with a body and a place',
    (s) => s.end('HTTP/1.1 304 N\r\nLocation: /next\r\nContent-Length: 5\r\n\r\nhello'),
    STATUS,
    304,
  ],
  [
    '300 with a place',
    (s) => s.end('HTTP/1.1 300 M\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n'),
    STATUS,
    300,
  ],
  [
    'a redirect to itself',
    (s) => s.end('HTTP/1.1 302 F\r\nLocation: /stage.png\r\nContent-Length: 0\r\n\r\n'),
    'E_IMAGE_URL_REDIRECTS',
    302,
  ],
  ['a redirect without a place', (s) => s.end('HTTP/1.1 302 F\r\nContent-Length: 0\r\n\r\n'), STATUS, 302],
  [
    'a redirect to no URL',
    (s) => s.end('HTTP/1.1 302 F\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n'),
    'E_IMAGE_URL_INVALID',
    302,
  ],
  ['nothing', () => undefined, TIMEOUT, null],
  ['nothing, and closes', (s) => s.end(), UNREACHABLE, null],
  ['nothing, and resets', (s) => s.resetAndDestroy(), UNREACHABLE, null],
  ['half a status line', (s) => s.write('HTTP/1.1 20'), TIMEOUT, null],
  ['garbage', (s) => s.write('\x16\x03\x01\x02\x00 who are you'), UNREACHABLE, null],
  ['another protocol', (s) => s.end('220 mail.test ESMTP\r\n'), UNREACHABLE, null],
  [
    'headers that never end',
    (s) => flood(s, `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(5000)}`),
    UNREACHABLE,
    null,
  ],
  [
    'one header that never ends',
    (s) => {
      s.write('HTTP/1.1 200 OK\r\nX: ')
      flood(s, 'a'.repeat(65536))
    },
    UNREACHABLE,
    null,
  ],
  [
    'a body that never ends',
    (s) => {
      s.write('HTTP/1.1 200 OK\r\n\r\n')
      flood(s, 'a'.repeat(65536))
    },
    'E_IMAGE_URL_TOO_LARGE',
    200,
  ],
  [
    'chunks that never end',
    (s) => {
      s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      flood(s, '1\r\na\r\n'.repeat(2000))
    },
    'E_IMAGE_URL_TOO_LARGE',
    200,
  ],
  [
    'a chunk of a name that never ends',
    (s) => {
      s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;')
      flood(s, 'a'.repeat(65536))
    },
    UNREACHABLE,
    200,
  ],
  [
    'trailers that never end',
    (s) => {
      s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n')
      flood(s, 'X: a\r\n'.repeat(2000))
    },
    UNREACHABLE,
    200,
  ],
  [
    'a length that is no number',
    (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nok'),
    UNREACHABLE,
    null,
  ],
  [
    'two lengths',
    (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'),
    UNREACHABLE,
    null,
  ],
  ['a negative length', (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok'), UNREACHABLE, null],
  [
    'a length beyond all numbers',
    (s) => s.end(`HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(40)}\r\n\r\nok`),
    UNREACHABLE,
    null,
  ],
  ['more than the length', (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokokok'), 'ok', 200],
  [
    'less than the length, and closes',
    (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok'),
    UNREACHABLE,
    200,
  ],
  ['less than the length', (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok'), TIMEOUT, 200],
  ['no length, until it closes', (s) => s.end('HTTP/1.1 200 OK\r\n\r\nok'), 'ok', 200],
  ['a status of 999', (s) => s.end('HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n'), STATUS, 999],
  ['a status of 42', (s) => s.end('HTTP/1.1 42 X\r\nContent-Length: 0\r\n\r\n'), UNREACHABLE, null],
  [
    'an answer to another request too',
    (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n'),
    'ok',
    200,
  ],
]

describe('a server that answers', () => {
  it.each(SERVERS)('%s', async (_, behave, image, callback) => {
    const url = await serve(behave)
    expect(await fetchFrom(url)).toBe(image)
    const posted = await postTo(url)
    expect(posted).toMatchObject({ ok: callback === 200 || callback === 204, status: callback, attempts: 1 })
    expect(JSON.stringify(posted)).not.toContain('hunter2')
  })

  it('and breaks off after any byte', async () => {
    const answer =
      'HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    for (let cut = 0; cut < answer.length; cut++) {
      for (const end of [(s: Socket) => s.end(), (s: Socket) => s.resetAndDestroy()]) {
        const url = await serve((socket) => void socket.write(answer.slice(0, cut), () => end(socket)))
        expect([cut, await fetchFrom(url)]).toEqual([cut, UNREACHABLE])
        expect([200, null]).toContain((await postTo(url)).status)
      }
      for (const close of closers.splice(0)) await close()
    }
  }, 60_000)
})

describe('a server behind TLS', () => {
  it.each<[string, (socket: Socket) => void, string]>([
    ['that answers garbage', (s) => s.write('HTTP/1.1 200 OK\r\n\r\n'), UNREACHABLE],
    ['that closes', (s) => s.end(), UNREACHABLE],
    ['that says nothing', () => undefined, TIMEOUT],
    ['that sends half a record', (s) => s.write(Buffer.from([0x16, 3, 3, 0x10, 0, 2])), TIMEOUT],
  ])('%s', async (_, behave, code) => {
    const url = (await serve(behave)).replace('http:', 'https:')
    expect(await fetchFrom(url)).toBe(code)
    expect(await postTo(url)).toMatchObject({ ok: false, status: null })
  })
})

it('a request that Node itself refuses is a fault of the server, not of pregen', async () => {
  const options = { maxBytes: 10, timeoutMs: TIMEOUT_MS, allowPrivate: true }
  await expect(fetchHttps('http://127.0.0.1:0/', options)).rejects.toMatchObject({ code: UNREACHABLE })
})
