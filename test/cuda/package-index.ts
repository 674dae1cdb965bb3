/** A package index of the tests' own on loopback, and wheels of nothing that have the form of the real ones. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import AdmZip from 'adm-zip'

export interface FakeWheel {
  readonly filename: string
  readonly bytes: Buffer
}

export function providerWheel({
  version = '1.30.0',
  cuda = '13.0',
  commit = 'abc123456',
  size = 300_000,
} = {}): FakeWheel {
  const zip = new AdmZip()
  const capi = 'onnxruntime/capi'
  zip.addFile(
    `${capi}/build_and_package_info.py`,
    Buffer.from(`package_name = 'onnxruntime-gpu'\n__version__ = '${version}'\ncuda_version = '${cuda}'\n`),
  )
  // Bytes that do not compress, so that the wheel has some length to be cut off in.
  const blocks = Array.from({ length: Math.ceil(size / 64) }, (_, at) =>
    createHash('sha512').update(`${at}`).digest(),
  )
  const noise = Buffer.concat(blocks).subarray(0, size)
  zip.addFile(`${capi}/libonnxruntime_providers_cuda.so`, noise)
  zip.addFile(`${capi}/libonnxruntime_providers_shared.so`, Buffer.from('bridge'))
  zip.addFile(
    `${capi}/libonnxruntime.so.${version}`,
    Buffer.from(`\0ORT Build Info: git-branch=HEAD, git-commit-id=${commit}, build type=Release\0`),
  )
  return {
    filename: `onnxruntime_gpu-${version}-cp312-cp312-manylinux_2_28_x86_64.whl`,
    bytes: zip.toBuffer(),
  }
}

export function libraryWheel(name: string, version: string, libraries: readonly string[]): FakeWheel {
  const zip = new AdmZip()
  for (const library of libraries) zip.addFile(`nvidia/cu13/lib/${library}`, Buffer.from(library))
  const filename = `${name.replaceAll('-', '_')}-${version}-py3-none-manylinux_2_27_x86_64.whl`
  return { filename, bytes: zip.toBuffer() }
}

export interface PackageIndex {
  readonly url: string
  /** Requests so far: path and, for a part, its range. */
  readonly requests: readonly string[]
  readonly close: () => Promise<void>
}

export interface IndexBehaviour {
  /** Cuts the connection of the first n downloads after so many bytes of the answer. */
  readonly cut?: { readonly times: number; readonly afterBytes: number }
  /** Names another sha-256 than the file has. */
  readonly lie?: boolean
  readonly status?: number
}

export async function startIndex(
  wheels: readonly FakeWheel[],
  behaviour: IndexBehaviour = {},
): Promise<PackageIndex> {
  const requests: string[] = []
  let cuts = behaviour.cut?.times ?? 0
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? '/', 'http://index')
    requests.push([pathname, request.headers.range].filter(Boolean).join(' '))
    if (behaviour.status !== undefined) return response.writeHead(behaviour.status).end()
    if (pathname.startsWith('/simple/')) {
      const name = pathname.split('/')[2]!.replaceAll('-', '_')
      const files = wheels
        .filter(({ filename }) => filename.startsWith(`${name}-`))
        .map(({ filename, bytes }) => ({
          filename,
          url: `../../files/${filename}`,
          size: bytes.byteLength,
          hashes: {
            sha256: behaviour.lie ? 'f'.repeat(64) : createHash('sha256').update(bytes).digest('hex'),
          },
        }))
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ files }))
    }
    const wheel = wheels.find(({ filename }) => pathname === `/files/${filename}`)
    if (!wheel) return response.writeHead(404).end()
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    if (from >= wheel.bytes.byteLength) return response.writeHead(416).end()
    const rest = wheel.bytes.subarray(from)
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.byteLength })
    if (cuts === 0) return response.end(rest)
    cuts--
    return response.write(rest.subarray(0, behaviour.cut?.afterBytes), () => response.destroy())
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}/simple`,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
