/** A line before a server: all bytes up share one rate, as on a thin uplink. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ThinLine {
  readonly endpoint: string
  stop(): Promise<void>
}

const READ_BYTES = 4096

export async function startThinLine(upstream: string, bytesPerMs: number): Promise<ThinLine> {
  const { hostname, port } = new URL(upstream)
  const sockets = new Set<Socket>()
  let free = performance.now()
  const server = createServer({ highWaterMark: READ_BYTES, noDelay: true }, (up) => {
    const down = connect(Number(port), hostname)
    for (const socket of [up, down]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        up.destroy()
        down.destroy()
      })
    }
    down.pipe(up)
    void (async () => {
      for await (const chunk of up as AsyncIterable<Buffer>) {
        free = Math.max(performance.now(), free) + chunk.byteLength / bytesPerMs
        const waitMs = free - performance.now()
        if (waitMs > 1) await sleep(waitMs)
        down.write(chunk)
      }
      down.end()
    })().catch(() => down.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
