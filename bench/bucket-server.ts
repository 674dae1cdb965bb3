/** A bucket in memory on the loopback interface: enough of S3 for a run's uploads, and counts of what landed. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface BucketServer {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  /** Objects whose key holds `part`, and their bytes. */
  count(part: string): { objects: number; sizeBytes: number }
  close(): Promise<void>
}

interface StoredBody {
  readonly body: Buffer
  readonly etag: string
}

export async function startBucketServer(): Promise<BucketServer> {
  const objects = new Map<string, StoredBody>()
  const server = createServer((request, response) => {
    answer(objects, request, response).catch((error: unknown) => {
      response.statusCode = 500
      response.end(String(error))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    count(part) {
      const found = [...objects].filter(([key]) => key.includes(part))
      return { objects: found.length, sizeBytes: found.reduce((sum, [, { body }]) => sum + body.length, 0) }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(objects: Map<string, StoredBody>, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '/', 'http://bucket')
  // Path style: /bucket/key.
  const key = decodeURIComponent(url.pathname).replace(/^\/[^/]*\/?/, '')
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const stored = objects.get(key)
  if (request.method === 'PUT' && key !== '') {
    const body = Buffer.concat(chunks)
    const md5 = createHash('md5').update(body)
    const etag = md5.copy().digest('hex')
    const promised = request.headers['content-md5']
    if (promised !== undefined && promised !== md5.digest('base64')) return fail(response, 400, 'BadDigest')
    if (request.headers['if-none-match'] === '*' && stored) return fail(response, 412, 'PreconditionFailed')
    objects.set(key, { body, etag })
    response.setHeader('ETag', `"${etag}"`)
    return response.end()
  }
  if (request.method === 'DELETE') {
    objects.delete(key)
    response.statusCode = 204
    return response.end()
  }
  if (request.method === 'HEAD' || request.method === 'GET') {
    if (key === '') return list(objects, url.searchParams.get('prefix') ?? '', response)
    if (!stored) return fail(response, 404, 'NoSuchKey')
    response.setHeader('ETag', `"${stored.etag}"`)
    response.setHeader('Content-Length', stored.body.length)
    return response.end(request.method === 'GET' ? stored.body : undefined)
  }
  return fail(response, 501, 'NotImplemented')
}

function list(objects: Map<string, StoredBody>, prefix: string, response: ServerResponse) {
  const found = [...objects].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
  const contents = found.map(
    ([key, { body, etag }]) =>
      `<Contents><Key>${key}</Key><Size>${body.length}</Size><ETag>"${etag}"</ETag></Contents>`,
  )
  response.setHeader('Content-Type', 'application/xml')
  return response.end(
    `<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>${found.length}</KeyCount>${contents.join('')}</ListBucketResult>`,
  )
}

function fail(response: ServerResponse, status: number, code: string) {
  response.statusCode = status
  response.setHeader('Content-Type', 'application/xml')
  return response.end(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`)
}
