/** Takes a port, or says why it cannot be had. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { errorCode, messageOf, PregenError } from '../../errors.ts'

/** @param port 0: any that is free @returns the port @throws PregenError `E_PORT_IN_USE`, `E_SERVER_HOST` */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') {
      throw new PregenError('E_PORT_IN_USE', `Port ${port} on ${host} is in use.`, {
        help: 'Another pregen may serve there already. Take another with --port (0: any that is free).',
        cause: error,
      })
    }
    throw new PregenError('E_SERVER_HOST', `Cannot listen on ${host}:${port}: ${messageOf(error)}.`, {
      help: 'Take 127.0.0.1, or an address of this machine.',
      cause: error,
    })
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  return address.port
}
