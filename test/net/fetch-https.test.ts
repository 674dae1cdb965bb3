import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FetchOptions, fetchHttps } from '../../src/net/fetch-https.ts'
import { certificate, type LocalServer, startServer } from './local-server.ts'

// 127.0.0.1 stands in for a public host here, so that a redirect from public to private can be acted out.
vi.mock('../../src/net/addresses.ts', async (importActual) => {
  const actual = await importActual<typeof import('../../src/net/addresses.ts')>()
  return { isPublicAddress: (address: string) => address === '127.0.0.1' || actual.isPublicAddress(address) }
})

const hosts: Record<string, string[]> = {
  'stage.test': ['127.0.0.1'],
  'inner.test': ['10.0.0.1', 'fd00::1'],
  'mixed.test': ['192.168.0.7', '127.0.0.1'],
}
const resolve = vi.fn(async (hostname: string) => {
  const addresses = hosts[hostname]
  if (addresses === undefined)
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' })
  return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
})
const options: FetchOptions = { maxBytes: 1000, timeoutMs: 5000, ca: certificate, resolve }

let server: LocalServer
let answer: (request: IncomingMessage, response: ServerResponse) => void
const at = (path: string, host = 'stage.test'): string => `https://${host}:${server.port}${path}`
const redirectTo = (location: string, status = 302): void => {
  answer = (request, response) => {
    if (request.url?.startsWith('/first')) response.writeHead(status, { location }).end()
    else response.end('second')
  }
}

beforeEach(async () => {
  resolve.mockClear()
  server = await startServer('https', (request, response) => answer(request, response))
})
afterEach(() => server.close())

describe('a file', () => {
  it('comes with its type and the URL it came from', async () => {
    answer = (request, response) =>
      response.setHeader('content-type', 'image/png').end(`hello ${request.url}`)
    await expect(fetchHttps(at('/a.png?token=secret'), options)).resolves.toEqual({
      bytes: Buffer.from('hello /a.png?token=secret'),
      contentType: 'image/png',
      url: `https://stage.test:${server.port}/a.png`,
    })
    expect(resolve).toHaveBeenCalledTimes(1)
  })

  it('may be exactly as large as the limit', async () => {
    answer = (_, response) => response.end(Buffer.alloc(1000))
    expect((await fetchHttps(at('/'), options)).bytes).toHaveLength(1000)
  })

  it.each([301, 302, 303, 307, 308])('is followed through a redirect with status %i', async (status) => {
    redirectTo('/second?token=secret', status)
    expect(await fetchHttps(at('/first'), options)).toMatchObject({
      bytes: Buffer.from('second'),
      url: `https://stage.test:${server.port}/second`,
    })
  })

  it('is fetched from the public address where a name has a private one too', async () => {
    answer = (_, response) => response.end('ok')
    expect((await fetchHttps(at('/', 'mixed.test'), options)).bytes.toString()).toBe('ok')
  })

  it('comes over http, and from a private address, only where that is allowed', async () => {
    const plain = await startServer('http', (_, response) => response.end('ok'))
    const url = `http://127.0.0.1:${plain.port}/`
    await expect(fetchHttps(url, options)).rejects.toMatchObject({ code: 'E_IMAGE_URL_SCHEME' })
    expect((await fetchHttps(url, { ...options, allowPrivate: true })).bytes.toString()).toBe('ok')
    await plain.close()
  })
})

describe('addresses that are not public', () => {
  it.each([
    'https://10.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:192.168.0.1]/',
    'https://[64:ff9b::a00:1]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://2130706434/',
    'https://0x7f.2/',
    'https://inner.test/',
  ])('%s is refused', async (url) => {
    await expect(fetchHttps(url, options)).rejects.toMatchObject({ code: 'E_IMAGE_URL_PRIVATE' })
  })

  it.each([
    'https://127.0.0.2/second',
    'https://[fd00::1]/second',
    'https://inner.test/second',
    '//169.254.169.254/second',
  ])('are refused after a redirect to %s', async (location) => {
    redirectTo(location)
    await expect(fetchHttps(at('/first'), options)).rejects.toMatchObject({ code: 'E_IMAGE_URL_PRIVATE' })
  })

  it('are refused where a name changes its address between the first request and the redirect', async () => {
    redirectTo('/second')
    const changing = vi
      .fn(resolve)
      .mockResolvedValueOnce([{ address: '127.0.0.1', family: 4 }])
      .mockResolvedValueOnce([{ address: '127.0.0.3', family: 4 }])
    await expect(fetchHttps(at('/first'), { ...options, resolve: changing })).rejects.toMatchObject({
      code: 'E_IMAGE_URL_PRIVATE',
    })
    expect(changing).toHaveBeenCalledTimes(2)
  })
})

describe('what else is refused', () => {
  it.each([
    ['file:///etc/passwd', 'E_IMAGE_URL_SCHEME'],
    ['ftp://stage.test/a.png', 'E_IMAGE_URL_SCHEME'],
    ['data:image/png;base64,AAAA', 'E_IMAGE_URL_SCHEME'],
    ['https://', 'E_IMAGE_URL_INVALID'],
    ['https://user:hunter2@stage.test/', 'E_IMAGE_URL_INVALID'],
    ['https://nowhere.test/', 'E_IMAGE_URL_UNREACHABLE'],
  ])('%s', async (url, code) => {
    await expect(fetchHttps(url, options)).rejects.toMatchObject({ code })
    await expect(fetchHttps(url, options)).rejects.not.toThrow(/hunter2/)
  })

  it.each([
    ['http://stage.test/', 'E_IMAGE_URL_SCHEME'],
    ['file:///etc/passwd', 'E_IMAGE_URL_SCHEME'],
    ['https://', 'E_IMAGE_URL_INVALID'],
  ])('a redirect to %s', async (location, code) => {
    redirectTo(location)
    await expect(fetchHttps(at('/first'), options)).rejects.toMatchObject({ code })
  })

  it('a sixth redirect, with the query of none in the message', async () => {
    answer = (_, response) => response.writeHead(302, { location: '/again?token=hunter2' }).end()
    await expect(fetchHttps(at('/first?token=hunter2'), options)).rejects.toMatchObject({
      code: 'E_IMAGE_URL_REDIRECTS',
      message: `https://stage.test:${server.port}/first redirects more than 5 times.`,
    })
  })

  it.each([404, 403, 500, 204])('status %i', async (status) => {
    answer = (_, response) => response.writeHead(status).end()
    await expect(fetchHttps(at('/?token=hunter2'), options)).rejects.toMatchObject({
      code: 'E_IMAGE_URL_STATUS',
      message: expect.not.stringContaining('hunter2'),
    })
  })

  it('a body that says it is too large, before it is read', async () => {
    answer = (_, response) => response.writeHead(200, { 'content-length': 1001 }).write('x')
    await expect(fetchHttps(at('/'), options)).rejects.toMatchObject({ code: 'E_IMAGE_URL_TOO_LARGE' })
  })

  it('a body that does not say so, as soon as it is', async () => {
    answer = (_, response) => {
      const timer = setInterval(() => response.write(Buffer.alloc(400)), 5)
      response.on('close', () => clearInterval(timer))
    }
    await expect(fetchHttps(at('/'), options)).rejects.toMatchObject({ code: 'E_IMAGE_URL_TOO_LARGE' })
  })

  it('a body that breaks off', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 500 }).write('x')
      setTimeout(() => response.destroy(), 20)
    }
    await expect(fetchHttps(at('/'), options)).rejects.toMatchObject({ code: 'E_IMAGE_URL_UNREACHABLE' })
  })

  it('a certificate that nobody vouches for', async () => {
    await expect(fetchHttps(at('/'), { ...options, ca: undefined })).rejects.toMatchObject({
      code: 'E_IMAGE_URL_UNREACHABLE',
      message: expect.stringMatching(/certificate/i),
    })
  })
})

describe('time', () => {
  it.each([
    ['no answer', () => undefined],
    [
      'a body that trickles',
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200).write('x'),
    ],
  ])('%s ends at the limit', async (_, silent) => {
    answer = silent
    await expect(fetchHttps(at('/'), { ...options, timeoutMs: 100 })).rejects.toMatchObject({
      code: 'E_IMAGE_URL_TIMEOUT',
    })
  })

  it('a resolver that never answers ends at the limit', async () => {
    const never = { ...options, timeoutMs: 100, resolve: () => new Promise<never>(() => undefined) }
    await expect(fetchHttps(at('/'), never)).rejects.toMatchObject({ code: 'E_IMAGE_URL_TIMEOUT' })
  })

  it('a cancelled fetch throws the reason it was cancelled for', async () => {
    const controller = new AbortController()
    const reason = new Error('the run is over')
    answer = () => controller.abort(reason)
    await expect(fetchHttps(at('/'), { ...options, signal: controller.signal })).rejects.toBe(reason)
  })
})
