import { readFileSync } from 'node:fs'
import http, { type RequestListener } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const fixtures = join(import.meta.dirname, '../fixtures/net')
/** Self-signed, for stage.test, inner.test, mixed.test and 127.0.0.1. */
export const certificate = readFileSync(join(fixtures, 'test-only-certificate.pem'), 'utf8')
const key = readFileSync(join(fixtures, 'test-only-key.pem'), 'utf8')

export interface LocalServer {
  readonly port: number
  close(): Promise<void>
}

/** A server on 127.0.0.1, at a port that is free. */
export async function startServer(scheme: 'http' | 'https', listener: RequestListener): Promise<LocalServer> {
  const server =
    scheme === 'http' ? http.createServer(listener) : https.createServer({ cert: certificate, key }, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
