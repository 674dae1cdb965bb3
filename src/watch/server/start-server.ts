/** Listens, and joins routes, sockets and logs. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { hostname } from 'node:os'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import { PregenError } from '../../errors.ts'
import { isRunId } from '../runs/run-folder.ts'
import { RunList } from '../runs/run-list.ts'
import { type AccessRules, judgeAccess } from './access.ts'
import { type AppOptions, createApp } from './app.ts'
import { listen } from './listen.ts'
import { LiveHub } from './live-hub.ts'
import { LivePictures } from './live-picture.ts'
import { readPageFiles } from './page-files.ts'
import type { ServedQueue } from './queue-routes.ts'
import type { WatchedMetrics } from './watched-metrics.ts'

export interface ServerOptions {
  /** An existing output folder. */
  readonly out: string
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** undefined: made anew. */
  readonly token?: string | undefined
  readonly origins: readonly string[]
  readonly previewQuality: number
  readonly previewSize: number
  /** Folder of the built page. */
  readonly pageFolder: string
  /** Of pregen. */
  readonly version: string
  /** Told when a run cannot be followed; viewers were sent away, and may come again. */
  readonly onFault: (error: unknown) => void
  /** A queue that machines share; closed with the server. */
  readonly queue?: ServedQueue | undefined
  readonly submit: (body: unknown, server: WatchServer) => ReturnType<AppOptions['submit']>
}

export interface WatchServer {
  /** `http://127.0.0.1:4747` */
  readonly origin: string
  /** With the token, for a browser. */
  readonly url: string
  readonly runs: RunList
  /** Pictures encoded for viewers so far. */
  readonly encodes: () => number
  readonly close: () => Promise<void>
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1'])
const MAX_CLIENT_MESSAGE = 4096
/** What clients have to take the last of what they were sent. */
const GOODBYE_MS = 300

/** @throws PregenError `E_PORT_IN_USE`, `E_SERVER_HOST`, `E_TOKEN_NEEDED` */
export async function startServer(options: ServerOptions): Promise<WatchServer> {
  const { out, host, origins, pageFolder, version, queue } = options
  if (!LOOPBACK.has(host) && options.token === undefined) {
    throw new PregenError(
      'E_TOKEN_NEEDED',
      `Other machines could ask on ${host}: that needs a token of your own.`,
      {
        help: 'Give one with --token (16 characters or more), or take 127.0.0.1.',
      },
    )
  }
  const token = options.token ?? randomBytes(24).toString('hex')
  const page = readPageFiles(pageFolder)
  const server = createServer()
  const port = await listen(server, host, options.port)
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const urls = (id: string) => ({
    page: `${origin}/#run=${id}`,
    file: (key: string) => `${origin}/files/${key.split('/').map(encodeURIComponent).join('/')}`,
  })
  const runs = new RunList(out, urls)
  const pictures = new LivePictures(runs.inside, {
    quality: options.previewQuality,
    size: options.previewSize,
  })
  const hub = new LiveHub(runs, pictures, options.onFault)
  const rules: AccessRules = { token, cookieName: `pregen-${port}`, hosts: [hostname(), host], origins }
  const closing = new AbortController()
  const beganAt = new Date().toISOString()
  let watched: Promise<WatchedMetrics> | undefined
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_CLIENT_MESSAGE })

  const watchServer: WatchServer = {
    origin,
    url: `${origin}/?token=${token}`,
    runs,
    encodes: () => pictures.encodes,
    async close() {
      // A run that is served by its own process: its end is told before nobody is there to ask.
      closing.abort()
      await hub.close()
      sockets.close()
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await Promise.race([closed, sleep(GOODBYE_MS, undefined, { ref: false })])
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await queue?.close()
    },
  }
  const app = createApp({
    runs,
    closing: closing.signal,
    hub,
    rules,
    page,
    version,
    queue: queue ?? null,
    submit: (body) => options.submit(body, watchServer),
    async metrics() {
      watched ??= import('./watched-metrics.ts').then(({ createWatchedMetrics }) =>
        createWatchedMetrics(runs, version, beganAt, queue),
      )
      const { registry, text } = await watched
      return { text: await text(), contentType: registry.contentType }
    },
  })
  server.on('request', getRequestListener(app.fetch))
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const { pathname, searchParams } = new URL(request.url ?? '/', origin)
    const { host: asked, origin: from, authorization, cookie } = request.headers
    const access = judgeAccess({ host: asked, origin: from, authorization, cookie }, rules)
    if (!access.allowed) return refuse(socket, access.status)
    const wanted = searchParams.get('run')
    if (pathname !== '/api/live' || (wanted !== null && !isRunId(wanted))) return refuse(socket, 404)
    sockets.handleUpgrade(request, socket, head, (client) => void hub.attach(client, wanted))
  })
  return watchServer
}

const REASONS: Readonly<Record<number, string>> = { 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found' }

function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${REASONS[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}
