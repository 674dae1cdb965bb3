/** The server itself, behind a line that a test can cut, spoil and listen to. */
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { openServer } from '../../../src/cli/commands/serve.ts'
import type { WatchServer } from '../../../src/watch/server/start-server.ts'

export interface Served {
  /** Of the line, such as `http://127.0.0.1:40123`. */
  readonly origin: string
  /** With the token, for a browser's first visit. */
  readonly url: string
  readonly token: string
  readonly server: WatchServer
  /** Requests as `GET /api/runs`. */
  readonly requests: string[]
  /** Cuts all sockets; refuses new ones while `refuses`. */
  cutSockets(refuses: boolean): void
  /** Answers every request to the API with this status; null: as it should. */
  broken: number | null
  /** Parts of messages that browsers have sent over sockets. */
  readonly said: number
  /** Sockets that stand. */
  readonly viewers: number
  stop(): Promise<void>
}

/**
 * @param out the output folder whose runs and tree are served
 * @param queue address of a queue that is served too
 */
export async function startServed(out: string, queue?: string): Promise<Served> {
  const token = 'a-token-for-tests-only'
  const watch = { host: '127.0.0.1', port: 0, token, previewQuality: 75, previewSize: 512 }
  const server = await openServer(out, { ...watch, queue })
  const target = new URL(server.origin)
  const sockets = new Set<Socket>()
  let refuses = false
  let said = 0

  const forward = (request: IncomingMessage, response: ServerResponse): void => {
    const path = new URL(request.url ?? '/', target).pathname
    served.requests.push(`${request.method} ${decodeURIComponent(path)}`)
    if (served.broken !== null && path.startsWith('/api/'))
      return void response.writeHead(served.broken).end()
    const { method, headers, url } = request
    const asked = send({ host: target.hostname, port: target.port, method, headers, path: url }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    asked.on('error', () => response.destroy())
    response.on('close', () => asked.destroy())
    request.pipe(asked)
  }
  const line = createServer(forward)
  line.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (refuses || served.broken !== null) return void socket.destroy()
    const upstream = connect(Number(target.port), target.hostname, () => {
      const raw = request.rawHeaders
      const lines = raw.flatMap((name, place) => (place % 2 === 0 ? [`${name}: ${raw[place + 1]}`] : []))
      upstream.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      upstream.write(head)
      upstream.pipe(socket).pipe(upstream)
      socket.on('data', () => {
        said += 1
      })
      sockets.add(socket)
    })
    const end = () => {
      sockets.delete(socket)
      upstream.destroy()
      socket.destroy()
    }
    for (const side of [socket, upstream]) side.on('close', end).on('error', end)
  })
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(line.address() as AddressInfo).port}`
  const served: Served = {
    ...{ origin, url: `${origin}/?token=${token}`, token, server, requests: [], broken: null },
    get said() {
      return said
    },
    get viewers() {
      return sockets.size
    },
    cutSockets(isRefusing) {
      refuses = isRefusing
      for (const socket of sockets) socket.destroy()
    },
    async stop() {
      line.closeAllConnections()
      line.close()
      await server.close()
    },
  }
  return served
}
