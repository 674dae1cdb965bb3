/** Where an endpoint that a sheet names may lead: the same addresses as images, unless whoever runs it says more. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createS3Storage } from '../../src/storage/s3.ts'
import { type EndpointPolicy, resolveEndpoint } from '../../src/storage/s3-endpoint.ts'
import { TEST_CREDENTIALS } from '../support/moto.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const none: EndpointPolicy = { env: {} }
const local: EndpointPolicy = { env: {}, allowLocalEndpoint: true }
const inner: EndpointPolicy = { env: {}, allowPrivateEndpoint: true }

const LOCAL = [
  'http://127.0.0.1:9000',
  'https://127.8.9.1',
  'http://[::1]:9000',
  'http://localhost',
  'http://x.localhost',
]
const PRIVATE = [
  'https://10.0.0.7',
  'https://192.168.1.1:9000',
  'https://[fd00::1]',
  'https://100.64.3.2',
  'https://[::ffff:10.0.0.1]',
]
const SPECIAL = [
  'https://169.254.169.254',
  'https://[fe80::1]',
  'https://100.100.100.200',
  'https://[fd00:ec2::254]',
  'https://0.0.0.0',
  'https://224.0.0.1',
]

describe('an endpoint of the sheet', () => {
  it.each([...LOCAL, ...PRIVATE, ...SPECIAL])('%s is refused', (endpoint) => {
    const location = { file: 'cues.yaml', line: 7, column: 3 }
    expect(() => resolveEndpoint(endpoint, none, () => location)).toThrow(
      expect.objectContaining({ code: 'E_ENDPOINT_PRIVATE', location }),
    )
  })

  it.each(LOCAL)('%s is taken where this machine is allowed, and nothing else is', (endpoint) => {
    expect(resolveEndpoint(endpoint, local)?.url.href).toBe(new URL(endpoint).href)
    expect(() => resolveEndpoint(endpoint, inner)).toThrow(
      expect.objectContaining({ help: expect.stringMatching(/--allow-local-endpoint.*AWS_ENDPOINT_URL_S3/) }),
    )
  })

  it.each(PRIVATE)('%s is taken where private networks are allowed, and nothing else is', (endpoint) => {
    expect(resolveEndpoint(endpoint, inner)?.url.href).toBe(new URL(endpoint).href)
    expect(() => resolveEndpoint(endpoint, local)).toThrow(
      expect.objectContaining({ code: 'E_ENDPOINT_PRIVATE' }),
    )
  })

  it.each(SPECIAL)('%s is no flag able to allow', (endpoint) => {
    const all = { env: {}, allowLocalEndpoint: true, allowPrivateEndpoint: true }
    expect(() => resolveEndpoint(endpoint, all)).toThrow(
      expect.objectContaining({ code: 'E_ENDPOINT_PRIVATE' }),
    )
  })

  it.each([...LOCAL, ...PRIVATE, ...SPECIAL])(
    '%s is taken where the environment names it too',
    (endpoint) => {
      for (const name of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
        expect(resolveEndpoint(endpoint, { env: { [name]: endpoint } })?.kinds).toBeNull()
      }
    },
  )

  it("is not the environment's because that has another port", () => {
    const env = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9001' }
    expect(() => resolveEndpoint('http://127.0.0.1:9000', { env })).toThrow(/this machine/)
  })

  it("that is absent is the environment's, the store's own variable first", () => {
    const env = { AWS_ENDPOINT_URL: 'https://a.example', AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000' }
    expect(resolveEndpoint(undefined, { env })?.url.href).toBe('http://127.0.0.1:9000/')
    expect(resolveEndpoint(undefined, { env: { AWS_ENDPOINT_URL: 'https://a.example' } })?.url.host).toBe(
      'a.example',
    )
    expect(resolveEndpoint(undefined, none)).toBeUndefined()
    const ignored = { ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }
    expect(resolveEndpoint(undefined, { env: ignored })).toBeUndefined()
    expect(() => resolveEndpoint(undefined, { env: { AWS_ENDPOINT_URL: 'nonsense' } })).toThrow(
      /AWS_ENDPOINT_URL is not/,
    )
  })
})

describe('a name', () => {
  const storageAt = (endpoint: string, policy: EndpointPolicy, resolve: (name: string) => string[]) => {
    const lookup = vi.fn(async (name: string) =>
      resolve(name).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
    const timeouts = { deadlineMs: 800, attemptMs: 400, connectMs: 300, preflightMs: 800 }
    const storage = createS3Storage({
      bucket: 'show',
      endpoint,
      credentials: TEST_CREDENTIALS,
      policy,
      resolve: lookup,
      timeouts,
    })
    closers.push(() => storage.close())
    return { storage, lookup }
  }

  it.each([
    ['10.0.0.1', 'a private network'],
    ['127.0.0.1', 'this machine'],
    ['169.254.169.254', 'link-local'],
    ['fd00:ec2::254', 'link-local'],
  ])('that leads to %s is refused when it is reached, at once', async (address, words) => {
    const { storage, lookup } = storageAt('https://stage.test', none, () => [address])
    await expect(storage.preflight()).rejects.toMatchObject({
      code: 'E_ENDPOINT_PRIVATE',
      message: expect.stringContaining(words),
    })
    expect(lookup).toHaveBeenCalledTimes(1)
  })

  it('is asked once: what is checked is what is connected to', async () => {
    let asked = 0
    const seen: string[] = []
    const server = createServer((request, response) => {
      seen.push(String(request.headers.host))
      response.writeHead(403).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    closers.push(async () => void server.closeAllConnections())
    closers.push(async () => void server.close())
    const answers = [['127.0.0.1'], ['10.0.0.1']]
    const { storage } = storageAt(`http://a.localhost:${address.port}`, local, () => answers[asked++] ?? [])
    await expect(storage.preflight()).rejects.toMatchObject({ code: 'E_ACCESS_DENIED' })
    expect([asked, seen]).toEqual([1, [`a.localhost:${address.port}`]])
  })

  it('of a bucket in the host leads where the endpoint may lead', async () => {
    const lookup = async (name: string) => [
      { address: name === 'stage.test' ? '1.1.1.1' : '10.0.0.1', family: 4 },
    ]
    const storage = createS3Storage({
      bucket: 'show',
      endpoint: 'https://stage.test',
      forcePathStyle: false,
      credentials: TEST_CREDENTIALS,
      policy: none,
      resolve: lookup,
    })
    closers.push(() => storage.close())
    await expect(storage.preflight()).rejects.toMatchObject({
      code: 'E_ENDPOINT_PRIVATE',
      message: expect.stringContaining('show.stage.test'),
    })
  })
})
