/** A proxy of the tests' own on loopback: whatever host it is asked for, it asks one server, and remembers who asked. */
import { once } from 'node:events'
import http from 'node:http'

export interface ForwardProxy {
  readonly url: string
  /** `GET http://index.test/simple/x/`, in order. */
  readonly asked: readonly string[]
  readonly close: () => Promise<void>
}

/** @param onward base URL of the server that stands in for every host */
export async function startForwardProxy(onward: string): Promise<ForwardProxy> {
  const asked: string[] = []
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { pathname, search } = new URL(request.url ?? '/')
    const { host: _, 'proxy-connection': __, ...headers } = request.headers
    const options = { method: request.method, headers }
    const forwarded = http.request(new URL(pathname + search, onward), options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    forwarded.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
