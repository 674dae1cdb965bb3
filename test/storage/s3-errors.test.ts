/** Each thing that can be wrong with a bucket is one clear message, and none of them tells a secret. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { formatError, PregenError } from '../../src/errors.ts'
import { redact } from '../../src/storage/redact.ts'
import { createS3Storage, type S3Options } from '../../src/storage/s3.ts'
import { freePort } from '../support/moto.ts'

const SECRET = 'very-secret-access-key-material'
const TOKEN = 'session-token-material'
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A store that answers as a test says. */
async function stubStore(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => answer(request, response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

function xml(
  status: number,
  code: string,
  extra = '',
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    response.writeHead(status, { 'content-type': 'application/xml' })
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as ${code} says</Message>${extra}</Error>`
    response.end(request.method === 'HEAD' ? '' : body)
  }
}

function storageAt(endpoint: string, options: Partial<S3Options> = {}) {
  const storage = createS3Storage({
    bucket: 'show',
    endpoint,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET, sessionToken: TOKEN },
    timeouts: { deadlineMs: 1500, attemptMs: 400, connectMs: 300, preflightMs: 1500 },
    ...options,
  })
  closers.push(() => storage.close())
  return storage
}

async function faultOf(work: Promise<unknown>): Promise<PregenError> {
  try {
    await work
  } catch (error) {
    if (error instanceof PregenError) return error
    throw error
  }
  throw new Error('it did not fail')
}

const REFUSALS = [
  [404, 'NoSuchBucket', 'E_NO_BUCKET', 'there is no bucket "show"'],
  [403, 'AccessDenied', 'E_ACCESS_DENIED', 'access to the bucket "show" is denied'],
  [403, 'InvalidAccessKeyId', 'E_WRONG_KEY', 'does not accept the access key'],
  [403, 'SignatureDoesNotMatch', 'E_WRONG_KEY', 'does not accept the access key'],
  [400, 'ExpiredToken', 'E_EXPIRED_KEY', 'have expired'],
  [403, 'RequestTimeTooSkewed', 'E_CLOCK_SKEW', 'clock'],
  [301, 'PermanentRedirect', 'E_WRONG_REGION', 'not in the region us-east-1'],
  [400, 'AuthorizationHeaderMalformed', 'E_WRONG_REGION', 'not in the region'],
  [400, 'EntityTooLarge', 'E_UPLOAD_FAILED', 'refused'],
] as const

describe('a bucket that does not work', () => {
  it.each(REFUSALS)('HTTP %i %s is %s', async (status, name, code, words) => {
    const error = await faultOf(storageAt(await stubStore(xml(status, name))).preflight())
    expect(error.code).toBe(code)
    expect(error.message).toContain(words)
    expect(error.message).toContain('s3://show')
    expect(error.help).toBeTruthy()
  })

  it('is told within the deadline when nothing listens', async () => {
    const error = await faultOf(storageAt(`http://127.0.0.1:${await freePort()}`).preflight())
    expect(error.code).toBe('E_WRONG_ENDPOINT')
    expect(error.message).toContain('ECONNREFUSED')
  })

  it('is told when it never answers', async () => {
    const start = performance.now()
    const error = await faultOf(storageAt(await stubStore(() => undefined)).preflight())
    expect(error.code).toBe('E_UPLOAD_TIMEOUT')
    expect(performance.now() - start).toBeLessThan(3000)
  })

  it('is told when a sign-in page answers in its place', async () => {
    const portal = await stubStore((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>')
    })
    const error = await faultOf(storageAt(portal).preflight())
    expect(error.code).toBe('E_UPLOAD_UNCONFIRMED')
    expect(error.help).toContain('sign-in page')
  })

  it('is told when the environment holds no credentials', async () => {
    const endpoint = await stubStore(xml(500, 'InternalError'))
    const saved = { ...process.env }
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_CONFIG_FILE: '/nonexistent',
    })
    try {
      const error = await faultOf(storageAt(endpoint, { credentials: undefined }).preflight())
      expect(error.code).toBe('E_NO_CREDENTIALS')
    } finally {
      process.env = saved
    }
  })

  it('is not asked again when asking cannot help', async () => {
    let requests = 0
    const endpoint = await stubStore((request, response) => {
      requests += 1
      xml(403, 'AccessDenied')(request, response)
    })
    await faultOf(storageAt(endpoint).preflight())
    expect(requests).toBe(1)
  })
})

describe('the listing of the preflight', () => {
  /** A store that works but for LIST. */
  const lister = (answer: ReturnType<typeof xml>) =>
    stubStore((request, response) => {
      if (request.url?.includes('list-type')) return answer(request, response)
      const etag = `"${createHash('md5').update('pregen').digest('hex')}"`
      response.writeHead(request.method === 'DELETE' ? 204 : 200, { etag }).end()
    })

  it('that the policy forbids is a warning', async () => {
    const warnings = await storageAt(await lister(xml(403, 'AccessDenied'))).preflight()
    expect(warnings).toEqual([
      expect.stringMatching(/^LIST \(s3:ListBucket\) is not allowed on s3:\/\/show: /),
    ])
  })

  it.each([
    [404, 'NoSuchKey', 'E_UPLOAD_FAILED'],
    [404, 'NoSuchBucket', 'E_NO_BUCKET'],
  ])('that fails with %i %s is told before anything is drawn', async (status, name, code) => {
    const error = await faultOf(storageAt(await lister(xml(status, name))).preflight())
    expect([error.code, error.message]).toEqual([code, expect.stringContaining('LIST foigoi/')])
  })
})

describe('the hot path', () => {
  it('sends what the whole client would, signed alike, and explains a refusal alike', async () => {
    const seen: { path: string | undefined; headers: Record<string, string | undefined> }[] = []
    let isDenied = false
    const endpoint = await stubStore((request, response) => {
      const { authorization, ...headers } = request.headers
      const signed = /SignedHeaders=([^,]+), Signature=[0-9a-f]{64}$/.exec(authorization ?? '')?.[1]
      const names = ['content-md5', 'content-type', 'cache-control', 'content-length', 'host']
      const kept = Object.fromEntries(names.map((name) => [name, String(headers[name])]))
      const token = String(headers['x-amz-security-token'])
      seen.push({
        path: request.url?.replace(/\?.*/, ''),
        headers: {
          ...kept,
          token,
          sha256: String(headers['x-amz-content-sha256']),
          isSigned: String(!!signed),
        },
      })
      if (isDenied) return xml(403, 'AccessDenied')(request, response)
      const md5 = Buffer.from(String(headers['content-md5']), 'base64').toString('hex')
      response.writeHead(200, { etag: `"${md5}"` }).end()
    })
    const storage = storageAt(endpoint)
    const object = {
      key: "foigoi/v/cues/it's a (test)!/晨*/1.png",
      body: Buffer.from('pixels'),
      contentType: 'image/png',
      cacheControl: 'no-cache',
    }
    const first = await storage.put(object)
    expect(await storage.put(object)).toEqual(first)
    expect(seen).toHaveLength(2)
    expect(seen[1]).toEqual(seen[0])
    expect(seen[1]?.headers.isSigned).toBe('true')
    isDenied = true
    const error = await faultOf(storage.put(object))
    expect(error.code).toBe('E_ACCESS_DENIED')
    expect(error.message).toContain('as AccessDenied says')
    expect(seen).toHaveLength(3)
  })
})

describe('a policy that forbids what a run can do without', () => {
  const answer = (forbidden: readonly string[]) => (request: IncomingMessage, response: ServerResponse) => {
    if (forbidden.includes(request.method ?? '')) return xml(403, 'AccessDenied')(request, response)
    response.writeHead(200, { etag: String(request.headers['x-test-etag'] ?? '') })
    const isList = request.url?.includes('list-type')
    response.end(isList ? '<ListBucketResult><Name>show</Name></ListBucketResult>' : '')
  }
  const echoing = (forbidden: readonly string[]) => (request: IncomingMessage, response: ServerResponse) => {
    const md5 = request.headers['content-md5']
    if (typeof md5 === 'string') {
      request.headers['x-test-etag'] = `"${Buffer.from(md5, 'base64').toString('hex')}"`
    } else request.headers['x-test-etag'] = '"00000000000000000000000000000000"'
    answer(forbidden)(request, response)
  }

  it.each([
    [['HEAD'], ['HEAD']],
    [['DELETE'], ['DELETE']],
    [['GET'], ['LIST']],
    [
      ['HEAD', 'DELETE'],
      ['HEAD', 'DELETE'],
    ],
    [[], []],
  ])('%j is a warning, not an end', async (forbidden, expected) => {
    const warnings = await storageAt(await stubStore(echoing(forbidden))).preflight()
    expect(warnings.map((warning) => warning.split(' ')[0])).toEqual(expected)
  })
})

describe('endpoints', () => {
  it.each([
    ['http://example.com', 'E_INSECURE_ENDPOINT'],
    ['http://10.0.0.5:9000', 'E_INSECURE_ENDPOINT'],
    ['http://127.0.0.1.evil.example', 'E_INSECURE_ENDPOINT'],
    ['https://key:secret@example.com', 'E_ENDPOINT_INVALID'],
    ['https://example.com/?X-Amz-Signature=abc', 'E_ENDPOINT_INVALID'],
    ['example.com', 'E_ENDPOINT_INVALID'],
    ['ftp://example.com', 'E_ENDPOINT_INVALID'],
  ])('%s is refused with %s', (endpoint, code) => {
    try {
      createS3Storage({ bucket: 'show', endpoint })
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code })
      expect(inspect(error)).not.toMatch(/secret|Signature=/)
    }
  })

  it.each(['http://127.0.0.1:9000', 'http://localhost:9000', 'http://[::1]:9000', 'https://example.com'])(
    '%s is taken',
    async (endpoint) => {
      const storage = createS3Storage({ bucket: 'show', endpoint })
      expect(storage.description).toBe(`s3://show (${new URL(endpoint).host})`)
      await storage.close()
    },
  )

  it('of the environment may not be plain http either', async () => {
    process.env.AWS_ENDPOINT_URL_S3 = 'http://store.example'
    try {
      const storage = storageAt('unused', { endpoint: undefined, region: 'us-east-1' })
      expect((await faultOf(storage.preflight())).code).toBe('E_INSECURE_ENDPOINT')
    } finally {
      delete process.env.AWS_ENDPOINT_URL_S3
    }
  })
})

describe('secrets', () => {
  it('stand in no error, whatever the store answers', async () => {
    const echo = (request: IncomingMessage, response: ServerResponse) => {
      // A store that gives everything back that it was sent.
      response.writeHead(403, { 'content-type': 'application/xml' })
      const sent = JSON.stringify(request.headers).replaceAll('"', "'")
      const url = `https://store.example/show/key?X-Amz-Signature=feedfacecafe&X-Amz-Credential=AKIDEXAMPLE`
      const body = `<Error><Code>Odd</Code><Message>${sent} ${SECRET} at ${url.replaceAll('&', '&amp;')}</Message></Error>`
      response.end(request.method === 'HEAD' ? '' : body)
    }
    const storages = [
      ...REFUSALS.map(async ([status, name]) => storageAt(await stubStore(xml(status, name)))),
      (async () => storageAt(await stubStore(echo)))(),
      (async () => storageAt(`http://127.0.0.1:${await freePort()}`))(),
    ]
    for (const storage of await Promise.all(storages)) {
      const object = { key: 'foigoi/k', body: new Uint8Array(3), contentType: 'image/png', cacheControl: '' }
      const calls = [
        () => storage.preflight(),
        () => storage.put(object),
        () => storage.get('foigoi/k'),
        () => storage.list('x')[Symbol.asyncIterator]().next(),
      ]
      let refused = 0
      for (const call of calls) {
        try {
          await call()
        } catch (error) {
          if (!(error instanceof PregenError)) throw error
          refused++
          const text = [
            formatError(error),
            inspect(error, { depth: 20, showHidden: true }),
            JSON.stringify(error),
            String(error.cause),
          ].join('\n')
          expect(text).not.toContain(SECRET)
          expect(text).not.toContain(TOKEN)
          expect(text).not.toMatch(/feedfacecafe|Signature=[0-9a-f]{8}|AWS4-HMAC-SHA256 Credential/)
        }
      }
      expect(refused).toBe(calls.length)
    }
  })

  it('are cut out of urls and headers', () => {
    expect(redact('GET https://u:p@h.example/a/b?X-Amz-Signature=ff&x=1 failed')).toBe(
      'GET https://h.example/a/b failed',
    )
    expect(redact('q X-Amz-Signature=ffee&X-Amz-Credential=AK/1/2')).toBe(
      'q X-Amz-Signature=…&X-Amz-Credential=…',
    )
    expect(redact('Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=b')).toBe('Authorization: …')
    expect(redact('the word swordfish', ['swordfish'])).toBe('the word …')
    expect(redact('plain text stays')).toBe('plain text stays')
  })
})
