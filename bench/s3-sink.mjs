// A small S3 server for the upload race, in a process of its own: it takes objects, checks Content-MD5, answers with
// the true MD5 as the ETag, lists and heads what it has, and keeps no bodies. It prints its port.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const objects = new Map()

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://sink')
  const path = decodeURIComponent(url.pathname)
  const key = path.split('/').slice(2).join('/')
  if (path === '/-/objects') return void response.end(String(objects.size))
  if (path === '/-/reset') {
    objects.clear()
    return void response.end()
  }
  if (request.method === 'PUT') {
    const md5 = createHash('md5')
    let sizeBytes = 0
    for await (const chunk of request) {
      md5.update(chunk)
      sizeBytes += chunk.length
    }
    const digest = md5.digest()
    const promised = request.headers['content-md5']
    if (promised !== undefined && promised !== digest.toString('base64'))
      return fail(response, 400, 'BadDigest')
    const etag = `"${digest.toString('hex')}"`
    if (key !== '') objects.set(key, { etag, sizeBytes, headers: metaOf(request.headers) })
    return void response.writeHead(200, { etag }).end()
  }
  request.resume()
  if (request.method === 'DELETE') {
    objects.delete(key)
    return void response.writeHead(204).end()
  }
  if (key === '') return list(url, response)
  const object = objects.get(key)
  if (!object) return fail(response, 404, 'NoSuchKey', request.method === 'HEAD')
  response.writeHead(200, {
    ...object.headers,
    etag: object.etag,
    'content-length': object.sizeBytes,
    'last-modified': new Date().toUTCString(),
  })
  response.end()
})

function metaOf(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-')))
}

function list(url, response) {
  const prefix = url.searchParams.get('prefix') ?? ''
  const found = [...objects].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
  const contents = found.map(
    ([key, { etag, sizeBytes }]) =>
      `<Contents><Key>${key}</Key><Size>${sizeBytes}</Size><ETag>${etag}</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`,
  )
  response.writeHead(200, { 'content-type': 'application/xml' })
  response.end(
    `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>race</Name><Prefix>${prefix}</Prefix><MaxKeys>100000</MaxKeys><IsTruncated>false</IsTruncated><KeyCount>${found.length}</KeyCount>${contents.join('')}</ListBucketResult>`,
  )
}

function fail(response, status, code, isHead = false) {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(
    isHead ? undefined : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  )
}

server.listen(0, '127.0.0.1', () => console.log(server.address().port))
