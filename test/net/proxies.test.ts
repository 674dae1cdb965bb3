/** Through a proxy, where the environment says so: a tunnel for https, whole addresses for http, nobody for NO_PROXY. */
import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { fetchHttps } from '../../src/net/fetch-https.ts'
import { postJson } from '../../src/net/post-json.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { TEST_CREDENTIALS } from '../support/moto.ts'
import { certificate, type LocalServer, startServer } from './local-server.ts'

let inner: LocalServer
let proxy: http.Server
let asked: string[] = []
const sockets = new Set<Socket>()

beforeAll(async () => {
  inner = await startServer('https', (request, response) => response.end(`inner ${request.url}`))
  proxy = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume()
    response.writeHead(403, { 'content-type': 'application/xml' })
    response.end('<Error><Code>AccessDenied</Code><Message>by the proxy</Message></Error>')
  })
  proxy.on('connect', (request, socket: Socket) => {
    asked.push(`CONNECT ${request.url}`)
    const onward = connect(inner.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [socket, onward]) {
      sockets.add(end)
      end.on('error', () => undefined)
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  proxy.closeAllConnections()
  proxy.close()
  await inner.close()
})
afterEach(() => {
  vi.unstubAllEnvs()
  asked = []
})

const proxyUrl = () => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
const options = { maxBytes: 1000, timeoutMs: 3000, ca: certificate }
// A name that only the proxy knows.
const unknown = async (): Promise<never> => {
  throw Object.assign(new Error('unknown'), { code: 'ENOTFOUND' })
}

describe('HTTPS_PROXY', () => {
  it('is the way to an image, whose name the proxy resolves', async () => {
    vi.stubEnv('HTTPS_PROXY', proxyUrl())
    const file = await fetchHttps('https://stage.test/a.png', { ...options, resolve: unknown })
    expect([file.bytes.toString(), asked]).toEqual(['inner /a.png', ['CONNECT stage.test:443']])
  })

  it('is the way of a callback', async () => {
    vi.stubEnv('https_proxy', proxyUrl())
    const once = { attempts: 1, timeoutMs: 3000, baseDelayMs: 1, maxDelayMs: 1, ca: certificate }
    const result = await postJson('https://stage.test/hook', {}, { ...once, resolve: unknown })
    expect([result.ok, asked]).toEqual([true, ['CONNECT stage.test:443']])
  })

  it('is no way around the guard', async () => {
    vi.stubEnv('HTTPS_PROXY', proxyUrl())
    const resolve = async () => [{ address: '10.0.0.1', family: 4 }]
    for (const url of ['https://10.0.0.1/', 'https://169.254.169.254/', 'https://inner.test/']) {
      await expect(fetchHttps(url, { ...options, resolve })).rejects.toMatchObject({
        code: 'E_IMAGE_URL_PRIVATE',
      })
    }
    expect(asked).toEqual([])
  })

  it('is not taken for what NO_PROXY excepts', async () => {
    vi.stubEnv('HTTPS_PROXY', proxyUrl())
    vi.stubEnv('NO_PROXY', '.test')
    await expect(
      fetchHttps('https://stage.test/a.png', { ...options, resolve: unknown }),
    ).rejects.toMatchObject({
      code: 'E_IMAGE_URL_UNREACHABLE',
    })
    expect(asked).toEqual([])
  })

  it.each(['socks5://127.0.0.1:1080', 'http://['])(
    'that is %s is told by the names of its variables',
    async (url) => {
      vi.stubEnv('HTTPS_PROXY', url)
      await expect(fetchHttps('https://stage.test/', options)).rejects.toMatchObject({
        code: 'E_PROXY_INVALID',
        help: expect.stringContaining('HTTPS_PROXY'),
      })
    },
  )
})

describe('the bucket', () => {
  const open = (endpoint: string, env: Record<string, string> = {}) =>
    createS3Storage({
      bucket: 'show',
      endpoint,
      credentials: TEST_CREDENTIALS,
      policy: { env, allowLocalEndpoint: true },
      timeouts: { preflightMs: 3000 },
    })

  it('is reached through HTTP_PROXY and HTTPS_PROXY', async () => {
    vi.stubEnv('HTTP_PROXY', proxyUrl())
    vi.stubEnv('HTTPS_PROXY', proxyUrl())
    const plain = open('http://127.0.0.1:9')
    await expect(plain.preflight()).rejects.toMatchObject({ code: 'E_ACCESS_DENIED' })
    await plain.close()
    expect(asked[0]).toMatch(/^PUT http:\/\/127\.0\.0\.1:9\/show\/foigoi\//)
    asked = []
    const safe = open('https://stage.test')
    await expect(safe.preflight()).rejects.toMatchObject({ code: 'E_CERTIFICATE' })
    await safe.close()
    expect(asked).toEqual(['CONNECT stage.test:443'])
  })

  it('with a certificate of its own is refused at once, by the names of the variables', async () => {
    const storage = open(`https://127.0.0.1:${inner.port}`)
    const error = await storage.preflight().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'E_CERTIFICATE',
      help: expect.stringMatching(/NODE_EXTRA_CA_CERTS.*AWS_CA_BUNDLE/),
    })
    await storage.close()
  })

  it('with a certificate that AWS_CA_BUNDLE vouches for is reached', async () => {
    const bundle = new URL('../fixtures/net/test-only-certificate.pem', import.meta.url).pathname
    const storage = open(`https://127.0.0.1:${inner.port}`, { AWS_CA_BUNDLE: bundle })
    // The server of this test is no store: its answer confirms nothing.
    await expect(storage.preflight()).rejects.toMatchObject({ code: 'E_UPLOAD_UNCONFIRMED' })
    await storage.close()
    expect(() => open('https://stage.test', { AWS_CA_BUNDLE: '/nonexistent' })).toThrow(
      expect.objectContaining({ code: 'E_CERTIFICATE', message: expect.stringContaining('AWS_CA_BUNDLE') }),
    )
  })
})
