/** A hub of the tests' own on loopback: the three routes that a pull asks, large files behind a redirect, as the real one. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface HubRepo {
  readonly name: string
  readonly commit: string
  /** Branches and tags of that commit. */
  readonly refs: readonly string[]
  readonly files: Readonly<Record<string, Buffer>>
  /** Only for who sends this token. */
  readonly token?: string
}

export interface HubBehaviour {
  /** Cuts the first n downloads of large files after so many bytes. */
  readonly cut?: { times: number; readonly afterBytes: number }
  /** Sends other bytes than it lists, for this path. */
  readonly spoil?: string
  readonly pageSize?: number
}

const LARGE = 10_000

export async function startHub(repo: HubRepo, behaviour: HubBehaviour = {}) {
  const requests: string[] = []
  const entryOf = ([path, bytes]: [string, Buffer]) => {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
    const lfs = bytes.length > LARGE ? { lfs: { oid: sha256, size: bytes.length, pointerSize: 134 } } : {}
    return { type: 'file', path, size: bytes.length, oid, ...lfs }
  }
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://hub')
    requests.push([url.pathname, request.headers.range].filter(Boolean).join(' '))
    const json = (value: unknown, headers = {}) =>
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
    const isCdn = url.pathname.startsWith('/cdn/')
    if (repo.token !== undefined && !isCdn && request.headers.authorization !== `Bearer ${repo.token}`) {
      return response.writeHead(401).end('{}')
    }
    const [, api, revision] =
      new RegExp(`^/api/models/${repo.name}/(revision|tree)/([^/]+)$`).exec(url.pathname) ?? []
    if (api === 'revision') {
      const known = revision === repo.commit || repo.refs.includes(decodeURIComponent(revision ?? ''))
      if (!known) return response.writeHead(404).end('{}')
      return json({
        _id: '1',
        id: repo.name,
        sha: repo.commit,
        private: false,
        lastModified: '2026-01-01T00:00:00Z',
      })
    }
    if (api === 'tree') {
      const entries = Object.entries(repo.files).map(entryOf)
      const size = behaviour.pageSize ?? entries.length
      const from = Number(url.searchParams.get('cursor') ?? 0)
      url.searchParams.set('cursor', `${from + size}`)
      const next = `<http://${request.headers.host}${url.pathname}${url.search}>; rel="next"`
      return json(entries.slice(from, from + size), from + size < entries.length ? { link: next } : {})
    }
    const path = decodeURIComponent(
      url.pathname.replace(`/${repo.name}/resolve/${repo.commit}/`, '').replace('/cdn/', ''),
    )
    const bytes = repo.files[path]
    if (bytes === undefined) return response.writeHead(404).end()
    if (bytes.length > LARGE && !isCdn) {
      return response.writeHead(302, { location: `/cdn/${encodeURIComponent(path)}` }).end()
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const body = behaviour.spoil === path ? Buffer.alloc(bytes.length, 255) : bytes
    const rest = body.subarray(from)
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length })
    if (!behaviour.cut || behaviour.cut.times === 0 || !isCdn) return response.end(rest)
    behaviour.cut.times--
    return response.write(rest.subarray(0, behaviour.cut.afterBytes), () => response.destroy())
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
