/** `GET /metrics` and nothing else, for a process that serves no page. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { hostname } from 'node:os'
import type { Registry } from 'prom-client'
import { messageOf, PregenError } from '../../errors.ts'
import { type AccessRules, isKnownHost, judgeAccess } from './access.ts'
import { listen } from './listen.ts'

export interface MetricsServerOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** undefined: none is asked for, on loopback alone. */
  readonly token: string | undefined
  readonly registry: Registry
}

export interface MetricsServer {
  /** `http://127.0.0.1:9464/metrics` */
  readonly url: string
  readonly close: () => Promise<void>
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '::1'])

/** @throws PregenError `E_PORT_IN_USE`, `E_SERVER_HOST`, `E_TOKEN_NEEDED` */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, token, registry } = options
  if (token === undefined && !LOOPBACK.has(host)) {
    throw new PregenError(
      'E_TOKEN_NEEDED',
      `Other machines could ask for metrics on ${host}: that needs a token.`,
      {
        help: 'Set PREGEN_METRICS_TOKEN (16 characters or more) and give it to the scraper, or take 127.0.0.1.',
      },
    )
  }
  const names = [hostname(), host]
  const refusalOf = ({
    headers,
  }: IncomingMessage): { readonly status: number; readonly why: string } | null => {
    if (token === undefined) {
      const isOurs = isKnownHost(headers.host, names) && headers.origin === undefined
      return isOurs ? null : { status: 403, why: 'this host, or a page, may not ask' }
    }
    const rules: AccessRules = { token, cookieName: 'pregen-metrics', hosts: names, origins: [] }
    const { host: asked, origin, authorization, cookie } = headers
    const access = judgeAccess({ host: asked, origin, authorization, cookie }, rules)
    return access.allowed ? null : access
  }
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
    const refusal = refusalOf(request)
    if (refusal !== null) return answer(refusal.status, `${refusal.why}\n`)
    if (request.url?.split('?')[0] !== '/metrics') return answer(404, 'there is no such thing here\n')
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET is answered\n')
    registry.metrics().then(
      (text) => answer(200, text, registry.contentType),
      (error: unknown) => answer(500, `${messageOf(error)}\n`),
    )
  })
  const port = await listen(server, host, options.port)
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/metrics`,
    async close() {
      server.close()
      server.closeAllConnections()
      if (server.listening) await once(server, 'close')
    },
  }
}
