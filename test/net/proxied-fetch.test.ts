/** Downloads behind a proxy. The hosts do not exist: whoever reaches them went through it. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { installCuda } from '../../src/cuda/install.ts'
import { pullModel } from '../../src/hub/pull.ts'
import { parseHubReference } from '../../src/hub/reference.ts'
import { proxiedFetch } from '../../src/net/proxied-fetch.ts'
import { providerWheel, startIndex } from '../cuda/package-index.ts'
import { startHub } from '../hub/hub-server.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'
import { temporaryFolder } from '../support/temp.ts'

afterEach(() => void vi.unstubAllEnvs())

async function behindProxy(server: { readonly close: () => Promise<void> }, url: string) {
  const proxy = await startForwardProxy(url)
  onTestFinished(async () => {
    await proxy.close()
    await server.close()
  })
  vi.stubEnv('HTTP_PROXY', proxy.url)
  vi.stubEnv('http_proxy', proxy.url)
  vi.stubEnv('NO_PROXY', '')
  vi.stubEnv('no_proxy', '')
  return proxy
}

describe('behind a proxy', () => {
  it('a provider is installed, cut off and resumed', async () => {
    const index = await startIndex([providerWheel()], { cut: { times: 2, afterBytes: 70_000 } })
    const proxy = await behindProxy(index, index.url)
    const folder = await temporaryFolder()
    const runtimeFolder = join(folder, 'runtime')
    await mkdir(runtimeFolder)
    await writeFile(join(runtimeFolder, 'libonnxruntime.so.1'), 'git-commit-id=abc123456,')
    const { provider } = await installCuda({
      ...{ cacheDir: join(folder, 'cache'), version: '1.30.0', runtimeFolder, platform: 'linux-x64' },
      env: { PIP_INDEX_URL: 'http://index.test/simple' },
      ...{ withLibraries: false, withoutCard: true, onProgress: () => undefined },
      inspect: async () => ({ machine: null, problem: 'none' }),
      search: { systemFolders: [], readCommand: async () => '' },
    })
    expect(existsSync(join(provider.folder, 'libonnxruntime_providers_cuda.so'))).toBe(true)
    expect(proxy.asked[0]).toBe('GET http://index.test/simple/onnxruntime-gpu/')
    expect(proxy.asked.filter((one) => one.includes('/files/'))).toHaveLength(3)
  })

  it('a model is pulled, over the redirect of its large files', async () => {
    const commit = 'c'.repeat(40)
    const files = {
      'model_index.json': Buffer.from('{}'),
      'unet/model.onnx': Buffer.alloc(30_000, 7),
    }
    const hub = await startHub({ name: 'a/b', commit, refs: ['main'], files, token: 'secret' })
    const proxy = await behindProxy(hub, hub.endpoint)
    const { folder } = await pullModel({
      reference: parseHubReference('a/b'),
      hubCache: join(await temporaryFolder(), 'hub'),
      endpoint: 'http://hub.test',
      token: 'secret',
    })
    expect(existsSync(join(folder, 'unet/model.onnx'))).toBe(true)
    expect(proxy.asked).toContain('GET http://hub.test/cdn/unet%2Fmodel.onnx')
  })

  it('what NO_PROXY names is asked for directly', async () => {
    const index = await startIndex([])
    const proxy = await behindProxy(index, index.url)
    vi.stubEnv('NO_PROXY', '127.0.0.1')
    vi.stubEnv('no_proxy', '127.0.0.1')
    expect((await proxiedFetch(`${index.url}/nothing/`)).status).toBe(200)
    expect(proxy.asked).toEqual([])
  })

  it('a token stays with the origin that it was given for', async () => {
    const seen: (string | undefined)[] = []
    const { createServer } = await import('node:http')
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization)
      const isFirst = request.url === '/first'
      response.writeHead(isFirst ? 302 : 200, isFirst ? { location: 'http://other.test/second' } : {}).end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : ''
    await behindProxy({ close: async () => void server.close() }, url)
    const headers = { authorization: 'Bearer secret' }
    expect((await proxiedFetch('http://one.test/first', { headers })).status).toBe(200)
    expect(seen).toEqual(['Bearer secret', undefined])
  })
})
