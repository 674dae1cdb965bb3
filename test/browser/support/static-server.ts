/** A plain file server, as a bucket behind a CDN is: under a prefix, with CORS or without, no index, no API. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

export interface StaticServer {
  readonly origin: string
  /** Paths asked for, in order. */
  readonly requests: string[]
  /** Paths that answer with this status instead. */
  readonly refused: Map<string, number>
  stop(): Promise<void>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
}

interface StaticOptions {
  /** Answers cross-origin requests. */
  readonly cors?: boolean
  readonly headers?: Readonly<Record<string, string>>
  /** Files beside those of the folder. */
  readonly pages?: Readonly<Record<string, string>>
}

export async function startStatic(folder: string, options: StaticOptions = {}): Promise<StaticServer> {
  const requests: string[] = []
  const refused = new Map<string, number>()
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname))
    requests.push(path)
    const headers = { ...options.headers, ...(options.cors ? { 'Access-Control-Allow-Origin': '*' } : {}) }
    const status = refused.get(path)
    const page = options.pages?.[path]
    const body = status === undefined ? (page ?? (await contentOf(join(folder, path)))) : null
    if (body === null) return void response.writeHead(status ?? 404, headers).end('no such key')
    response.writeHead(200, { ...headers, 'Content-Type': TYPES[extname(path)] ?? 'text/html' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    refused,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

async function contentOf(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch {
    // Whatever it is, a folder or nothing: a bucket knows no difference.
    return null
  }
}
