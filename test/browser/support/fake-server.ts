/** Speaks the contract of docs/watching.md from memory: runs, events, progress and live pictures that a test tells it. */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'

export interface FakeRun {
  id: string
  state: string
  [field: string]: unknown
}

export interface Progress {
  active: boolean
  [field: string]: unknown
}

export interface FakeServer {
  readonly origin: string
  runs: FakeRun[]
  versions: { version: string; prefix: string }[]
  /** Messages of all viewers, in order. */
  readonly messages: Record<string, unknown>[]
  /** Requests as `GET /api/runs`. */
  readonly requests: string[]
  /** Appends lines to a run's log. */
  emit(run: string, ...events: Record<string, unknown>[]): void
  /** Tells the progress, and a picture with it, to all who are connected; keeps both for who polls or comes late. */
  push(progress: Progress, jpeg?: Buffer): void
  /** Cuts all sockets; refuses new ones while `refuses`. */
  cutSockets(refuses: boolean): void
  /** Answers every request to the API with this status; null: as it should. */
  broken: number | null
  readonly viewers: number
  stop(): Promise<void>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.json': 'application/json',
}

/** @param pageFolder the built page @param out the output folder whose tree is served */
export async function startFakeServer(pageFolder: string, out: string): Promise<FakeServer> {
  const logs = new Map<string, string[]>()
  const streams = new Map<string, Set<ServerResponse>>()
  const sockets = new Set<WebSocket>()
  const connections = new Set<Socket>()
  let last: Progress = { active: false }
  let picture: Buffer | null = null
  let refuses = false

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const path = decodeURIComponent(url.pathname)
    fake.requests.push(`${request.method} ${path}`)
    if (fake.broken !== null && path.startsWith('/api/')) return void response.writeHead(fake.broken).end()
    const events = /^\/api\/runs\/([^/]+)\/events$/.exec(path)?.[1]
    const run = /^\/api\/runs\/([^/]+)$/.exec(path)?.[1]
    if (path === '/api/runs') return json(response, { runs: fake.runs })
    if (path === '/api/versions') return json(response, { versions: fake.versions })
    if (path === '/api/progress') return progressOf(url, response)
    if (path.startsWith('/api/picture/') && picture) return void response.writeHead(200).end(picture)
    if (events !== undefined) return follow(events, request, response)
    if (run !== undefined) return oneRun(run, request, response)
    const file = path.startsWith('/files/')
      ? join(out, path.slice(7))
      : join(pageFolder, path === '/' ? 'index.html' : path)
    await sendFile(normalize(file), request, response)
  }

  const oneRun = (id: string, request: IncomingMessage, response: ServerResponse) => {
    const run = fake.runs.find((each) => each.id === id)
    if (run === undefined) return void response.writeHead(404).end()
    if (request.method === 'DELETE') run.state = 'cancelled'
    json(response, run)
  }

  const progressOf = (url: URL, response: ServerResponse) => {
    if (last.image_id !== undefined && url.searchParams.get('since') === String(last.image_id)) {
      return void response.writeHead(304).end()
    }
    json(response, { ...last, image_url: picture === null ? null : `/api/picture/${last.image_id}.jpg` })
  }

  const follow = (id: string, request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
    const from = Number(request.headers['last-event-id'] ?? 0)
    for (const [place, line] of (logs.get(id) ?? []).entries()) {
      if (place + 1 > from) response.write(`id: ${place + 1}\ndata: ${line}\n\n`)
    }
    response.write(': here\n\n')
    const own = streams.get(id) ?? new Set()
    streams.set(id, own.add(response))
    response.on('close', () => own.delete(response))
  }

  const server = createServer((request, response) => void answer(request, response))
  server.on('connection', (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  })
  const live = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (refuses || fake.broken !== null) return void socket.destroy()
    live.handleUpgrade(request, socket, head, (viewer) => {
      sockets.add(viewer)
      viewer.on('close', () => sockets.delete(viewer))
      viewer.on('message', (data) => void fake.messages.push(JSON.parse(String(data))))
      viewer.send(JSON.stringify({ type: 'progress', has_image: picture !== null, ...last }))
      if (picture !== null) viewer.send(picture)
    })
  })

  const fake: FakeServer = {
    origin: '',
    runs: [],
    versions: [],
    messages: [],
    requests: [],
    broken: null,
    get viewers() {
      return sockets.size
    },
    emit(id, ...events) {
      const log = logs.get(id) ?? []
      logs.set(id, log)
      for (const event of events) {
        const seq = log.length + 1
        const line = JSON.stringify({
          run: id,
          seq,
          time: new Date(1.8e12 + seq * 50).toISOString(),
          ...event,
        })
        log.push(line)
        for (const stream of streams.get(id) ?? []) stream.write(`id: ${seq}\ndata: ${line}\n\n`)
      }
    },
    push(progress, jpeg) {
      last = progress
      picture = jpeg ?? picture
      for (const viewer of sockets) {
        viewer.send(JSON.stringify({ type: 'progress', has_image: jpeg !== undefined, ...progress }))
        if (jpeg !== undefined) viewer.send(jpeg)
      }
    },
    cutSockets(isRefusing) {
      refuses = isRefusing
      for (const viewer of sockets) viewer.terminate()
    },
    stop: () =>
      new Promise((resolve) => {
        for (const viewer of sockets) viewer.terminate()
        for (const socket of connections) socket.destroy()
        server.close(() => resolve())
      }),
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(fake, { origin: `http://127.0.0.1:${port}` })
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
}

async function sendFile(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const state = await stat(path).catch(() => null)
  if (state === null || !state.isFile()) return void response.writeHead(404).end()
  const headers = {
    'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
    'Content-Security-Policy': "default-src 'self'",
    'Cache-Control': 'no-cache',
  }
  if (request.method === 'HEAD') return void response.writeHead(200, headers).end()
  response.writeHead(200, headers)
  createReadStream(path).pipe(response)
}

/** A file of the built page, to check what a browser would get. */
export function readPage(pageFolder: string, name: string): Promise<Buffer> {
  return readFile(join(pageFolder, name))
}
