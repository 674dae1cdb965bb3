/** An HTTP proxy that breaks requests on purpose on their way to a real S3 server. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/**
 * `reset-after`: the store has done its work but the answer is lost. `hang`: accepted, never answered. `flip`: one
 * byte of the body changed. `portal`: a sign-in page with status 200.
 */
export type Fault = 403 | 500 | 503 | 429 | 'reset' | 'reset-after' | 'hang' | 'flip' | 'portal' | null

export interface ProxiedRequest {
  readonly method: string
  /** Path without query, percent-decoded. */
  readonly path: string
  /** Requests of this method for this path so far, this one included. */
  readonly attempt: number
  /** Requests of all kinds so far, this one included. */
  readonly count: number
}

export interface FaultProxy {
  readonly endpoint: string
  /** Requests by method and path: `PUT /bucket/key`. */
  readonly requests: ReadonlyMap<string, number>
  total(method: string): number
  /** Takes effect with the next request. */
  setFaults(choose: (request: ProxiedRequest) => Fault): void
  /** Requests wait for what this returns before they go on to the server behind. */
  setHold(hold: (request: ProxiedRequest) => Promise<void> | void): void
  /** Resolves when the server behind has no request left in work, answered or not. */
  settled(): Promise<void>
  stop(): Promise<void>
}

/** @param upstream `http://127.0.0.1:<port>` */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const target = new URL(upstream)
  const requests = new Map<string, number>()
  let choose: (request: ProxiedRequest) => Fault = () => null
  let hold: (request: ProxiedRequest) => Promise<void> | void = () => undefined
  let count = 0
  const inWork = new Set<Promise<unknown>>()

  const forward = (incoming: IncomingMessage, body: Buffer, answer: (response: IncomingMessage) => void) => {
    const outgoing = request(
      {
        host: target.hostname,
        port: target.port,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, 'content-length': body.byteLength },
      },
      answer,
    )
    outgoing.on('error', () => incoming.socket.destroy())
    const closed = once(outgoing, 'close').finally(() => inWork.delete(closed))
    inWork.add(closed)
    outgoing.end(body)
  }
  const refuse = (response: ServerResponse, status: number) => {
    const codes: Readonly<Record<number, string>> = {
      403: 'AccessDenied',
      429: 'TooManyRequests',
      503: 'SlowDown',
    }
    const code = codes[status] ?? 'InternalError'
    response.writeHead(status, { 'content-type': 'application/xml' })
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>injected</Message></Error>`)
  }
  const server = createServer(async (incoming, response) => {
    const method = incoming.method ?? 'GET'
    const path = decodeURIComponent((incoming.url ?? '/').replace(/\?.*$/, ''))
    const key = `${method} ${path}`
    const attempt = (requests.get(key) ?? 0) + 1
    requests.set(key, attempt)
    count += 1
    const proxied = { method, path, attempt, count }
    const fault = choose(proxied)
    if (fault === 'reset') return void incoming.socket.destroy()
    if (fault === 'hang') return void incoming.resume()
    let body: Buffer
    try {
      body = await bodyOf(incoming)
    } catch {
      return void incoming.socket.destroy()
    }
    await hold(proxied)
    if (fault === 'portal') {
      response.writeHead(200, { 'content-type': 'text/html' })
      return void response.end('<html><body>Please sign in to the hotel network</body></html>')
    }
    if (typeof fault === 'number') return refuse(response, fault)
    if (fault === 'flip' && body.byteLength > 0) {
      const at = body.byteLength >> 1
      body[at] = (body[at] ?? 0) ^ 0x10
    }
    forward(incoming, body, (answered) => {
      if (fault === 'reset-after') {
        answered.resume()
        answered.on('end', () => incoming.socket.destroy())
        return
      }
      response.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    total: (method) =>
      [...requests].reduce((sum, [key, n]) => sum + (key.startsWith(`${method} `) ? n : 0), 0),
    setFaults(next) {
      choose = next
    },
    setHold(next) {
      hold = next
    },
    async settled() {
      while (inWork.size > 0) await Promise.allSettled(inWork)
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A number in 0 ≤ x < 1 that follows from a text: faults that do not depend on the order of arrival. */
export function chanceOf(text: string): number {
  let hash = 2166136261
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39)
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32
}
