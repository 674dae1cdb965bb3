import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import WebSocket from 'ws'
import type { ErrorCode } from '../../src/error-codes.ts'
import { PregenError, PregenErrors } from '../../src/errors.ts'
import { judgeAccess } from '../../src/watch/server/access.ts'
import { parseRange } from '../../src/watch/server/published-file.ts'
import { type ServerOptions, startServer, type WatchServer } from '../../src/watch/server/start-server.ts'
import fc from '../support/seed.ts'
import { temporaryFolder } from '../support/temp.ts'
import { runFinished, type StagedRun, stageRun, started, stepped } from './staged-run.ts'

const TOKEN = 'a-token-for-tests-only'
const ID = '20261126-231501-00a1'
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` }

async function serve(
  changes: Partial<ServerOptions> = {},
): Promise<{ server: WatchServer; run: StagedRun; out: string }> {
  const folder = await temporaryFolder()
  const out = join(folder, 'out')
  const run = await stageRun({ out, id: ID })
  await run.record({ begunAt: new Date().toISOString() })
  const pageFolder = join(folder, 'page')
  await mkdir(pageFolder)
  await writeFile(join(pageFolder, 'index.html'), '<!doctype html><title>pregen</title>')
  await writeFile(join(pageFolder, 'app-0a1b2c3d.js'), 'export {}')
  const server = await startServer({
    ...{ out, host: '127.0.0.1', port: 0, token: TOKEN, origins: [], previewQuality: 75, previewSize: 48 },
    ...{ pageFolder, version: '1.2.3', submit: () => Promise.reject(new Error('not asked for')) },
    onFault: (error) => {
      throw error
    },
    ...changes,
  })
  onTestFinished(() => server.close())
  return { server, run, out }
}

const ask = (server: WatchServer, path: string, init: RequestInit = {}) =>
  fetch(`${server.origin}${path}`, {
    redirect: 'manual',
    ...init,
    headers: { ...AUTHORIZED, ...init.headers },
  })

/** A request whose path goes out as it is: fetch tidies it. */
async function rawStatus(
  server: WatchServer,
  path: string,
  headers: Record<string, string> = AUTHORIZED,
): Promise<number> {
  const { hostname, port } = new URL(server.origin)
  const sent = request({ hostname, port, path, headers })
  sent.end()
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode
}

describe('who may ask', () => {
  const rules = {
    token: TOKEN,
    cookieName: 'pregen-4747',
    hosts: ['gpu-1'],
    origins: ['https://show.example'],
  }
  const base = {
    host: '127.0.0.1:4747',
    origin: undefined,
    authorization: `Bearer ${TOKEN}`,
    cookie: undefined,
  }
  it.each<[string, object, number | null]>([
    ['a program with the token', {}, null],
    ['a browser with the cookie', { authorization: undefined, cookie: `x=1; pregen-4747=${TOKEN}` }, null],
    ['the page itself', { origin: 'http://127.0.0.1:4747' }, null],
    ['by its name', { host: 'gpu-1:4747' }, null],
    ['over IPv6', { host: '[::1]:4747' }, null],
    ['a page that was allowed', { origin: 'https://show.example' }, null],
    ['without a token', { authorization: undefined }, 401],
    ['with another', { authorization: 'Bearer nothing' }, 401],
    ['with a cookie of another port', { authorization: undefined, cookie: `pregen-4748=${TOKEN}` }, 401],
    ['a rebound name', { host: 'evil.example:4747' }, 403],
    ['no host', { host: undefined }, 403],
    ['a host with a path', { host: 'localhost/evil' }, 403],
    ['a page of another origin', { origin: 'https://evil.example' }, 403],
    ['an opaque origin', { origin: 'null' }, 403],
    ['another port of this machine', { origin: 'http://127.0.0.1:8080' }, 403],
  ])('%s', (_who, changes, status) => {
    const access = judgeAccess({ ...base, ...changes }, rules)
    expect(access.allowed ? null : access.status).toBe(status)
  })

  it('trades the token of its URL for a cookie, and hides it', async () => {
    const { server } = await serve()
    const answer = await fetch(server.url, { redirect: 'manual' })
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe('./')
    const cookie = answer.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\/$/)
    const page = await fetch(`${server.origin}/`, { headers: { cookie: cookie.split(';')[0]! } })
    expect(page.status).toBe(200)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
  })

  it.each(['/', '/api/runs', '/api/progress', '/files/foigoi/v/manifest.json', '/player.js', '/nothing'])(
    '%s is for those let in',
    async (path) => {
      const { server } = await serve()
      expect(await rawStatus(server, path, {})).toBe(401)
      expect(await rawStatus(server, path, { ...AUTHORIZED, host: 'evil.example' })).toBe(403)
      expect(await rawStatus(server, path, { ...AUTHORIZED, origin: 'https://evil.example' })).toBe(403)
    },
  )

  it('lets pages of allowed origins ask', async () => {
    const { server } = await serve({ origins: ['https://show.example'] })
    const headers = { origin: 'https://show.example' }
    const before = await fetch(`${server.origin}/api/runs`, { method: 'OPTIONS', headers })
    expect(before.headers.get('access-control-allow-origin')).toBe('https://show.example')
    const answer = await ask(server, '/api/runs', { headers })
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://show.example')
  })

  it('needs a token of its own where others could ask, and says when the port is taken', async () => {
    const { server, out } = await serve()
    const options = { out, origins: [], previewQuality: 75, previewSize: 48, pageFolder: out, version: '' }
    const submit = () => Promise.reject(new Error('no'))
    await expect(
      startServer({ ...options, submit, onFault: () => undefined, host: '0.0.0.0', port: 0 }),
    ).rejects.toMatchObject({
      code: 'E_TOKEN_NEEDED',
    })
    const port = Number(new URL(server.origin).port)
    await expect(
      startServer({ ...options, submit, onFault: () => undefined, host: '127.0.0.1', port }),
    ).rejects.toMatchObject({
      code: 'E_PORT_IN_USE',
    })
  })
})

describe('runs over HTTP', () => {
  it('are listed and told', async () => {
    const { server } = await serve()
    expect(await (await ask(server, '/api/runs')).json()).toMatchObject([
      { id: ID, state: 'running', url: `${server.origin}/#run=${ID}` },
    ])
    expect(await (await ask(server, `/api/runs/${ID}`)).json()).toMatchObject({ id: ID, units: 1 })
    for (const id of ['20261126-231501-ffff', '..%2f..', 'x'])
      expect((await ask(server, `/api/runs/${id}`)).status).toBe(404)
    expect(await (await ask(server, '/api/openapi.json')).json()).toMatchObject({
      openapi: '3.1.0',
      info: { version: '1.2.3' },
    })
  })

  it('refuses to drain by half', async () => {
    const { server } = await serve()
    const answer = await ask(server, `/api/runs/${ID}?drain=perhaps`, { method: 'DELETE' })
    expect([answer.status, await answer.json()]).toMatchObject([422, { errors: [{ code: 'E_REQUEST' }] }])
    expect((await ask(server, '/api/runs/20200101-000000-0000?drain=1', { method: 'DELETE' })).status).toBe(
      404,
    )
  })

  it('are submitted, or refused with every fault', async () => {
    const location = { file: 'sheet.yaml', line: 3, column: 5 }
    const fault = (code: ErrorCode) => new PregenError(code, 'wrong', { help: 'mend it', location })
    const { server } = await serve({
      submit: (body) =>
        body === null
          ? Promise.reject(new PregenErrors([fault('E_BAD_SEED'), fault('E_BAD_STEPS')]))
          : Promise.resolve({ id: ID, state: 'queued', position: 1, eta_seconds: null }),
    })
    const post = (body: string) => ask(server, '/api/runs', { method: 'POST', body })
    const taken = await post('{"path":"cues.yaml"}')
    expect(taken.status).toBe(202)
    expect(await taken.json()).toEqual({
      id: ID,
      state: 'queued',
      position: 1,
      eta_seconds: null,
      url: `${server.origin}/#run=${ID}`,
    })
    const refused = await post('not json')
    expect(refused.status).toBe(422)
    expect(await refused.json()).toMatchObject({
      errors: [{ code: 'E_BAD_SEED', line: 3, column: 5, help: 'mend it' }, { code: 'E_BAD_STEPS' }],
    })
  })

  it('stream their events, from where a client left off, and say when there are no more', async () => {
    const { server, run } = await serve()
    await run.emit(started('v1'))
    const ids: number[] = []
    const read = async (headers: Record<string, string>, until: number) => {
      const answer = await ask(server, `/api/runs/${ID}/events`, { headers })
      expect(answer.headers.get('content-type')).toBe('text/event-stream')
      let text = ''
      for await (const chunk of answer.body ?? []) {
        text += Buffer.from(chunk).toString()
        const seen = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
        if (seen.at(-1) === until) return ids.push(...seen)
      }
      return ids.push(...[...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)))
    }
    await read({}, 2)
    const rest = read({ 'last-event-id': '2' }, 5)
    await run.emit(stepped('v1', 1))
    await run.finish('dawn', 'v1')
    await run.emit(runFinished())
    await rest
    expect(ids).toEqual([1, 2, 3, 4, 5])
    expect((await ask(server, `/api/runs/${ID}/events`, { headers: { 'last-event-id': '5' } })).status).toBe(
      204,
    )
  })

  it('are asked for their progress', async () => {
    const { server, run } = await serve()
    await run.emit(started('v1'))
    await run.emit(stepped('v1', 1))
    await run.preview('dawn', 'v1', 1)
    const progress = (await (await ask(server, '/api/progress')).json()) as { image_url: string }
    expect(progress).toMatchObject({
      ...{
        active: true,
        run: ID,
        cue: 'dawn',
        variant: 'v1',
        step: 1,
        steps: 4,
        progress: 0.25,
        image_id: 4,
      },
      image_url: '/files/foigoi/v/cues/dawn/v1/1.png',
    })
    expect((await ask(server, progress.image_url)).headers.get('content-type')).toBe('image/png')
    expect((await ask(server, '/api/progress?since=4')).status).toBe(304)
    expect((await ask(server, '/api/progress?since=3')).status).toBe(200)
    expect((await ask(server, '/api/progress?run=20200101-000000-0000')).status).toBe(404)
    await run.emit(runFinished())
    await run.record({ exitCode: 0 })
    expect(await (await ask(server, '/api/progress?since=99')).json()).toMatchObject({
      active: false,
      completed: true,
      progress: 1,
    })
  })
})

describe('files over HTTP', () => {
  it('are served with their rules, whole or in parts', async () => {
    const { server, run, out } = await serve()
    await run.preview('dawn', 'v1', 1)
    await writeFile(join(out, 'foigoi/v/manifest.json'), '{"assets":[]}')
    const path = '/files/foigoi/v/cues/dawn/v1/1.png'
    const whole = await ask(server, path)
    const bytes = Buffer.from(await whole.arrayBuffer())
    expect(whole.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    const etag = whole.headers.get('etag') ?? ''
    expect((await ask(server, path, { headers: { 'if-none-match': etag } })).status).toBe(304)
    const part = await ask(server, path, { headers: { range: 'bytes=4-9' } })
    expect(part.status).toBe(206)
    expect(part.headers.get('content-range')).toBe(`bytes 4-9/${bytes.length}`)
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(4, 10))
    expect((await ask(server, path, { headers: { range: `bytes=${bytes.length}-` } })).status).toBe(416)
    expect((await ask(server, path, { method: 'HEAD' })).headers.get('content-length')).toBe(
      String(bytes.length),
    )
    const manifest = await ask(server, '/files/foigoi/v/manifest.json')
    expect(manifest.headers.get('cache-control')).toBe('no-cache')
    expect(await (await ask(server, '/api/versions')).json()).toEqual({
      versions: [{ version: 'v', prefix: 'foigoi/v' }],
      queue: false,
    })
  })

  it.each<[string, string | undefined, number, unknown]>([
    ['none', undefined, 10, null],
    ['a part', 'bytes=2-4', 10, { start: 2, end: 4 }],
    ['from a place on', 'bytes=7-', 10, { start: 7, end: 9 }],
    ['the last bytes', 'bytes=-3', 10, { start: 7, end: 9 }],
    ['more than there are', 'bytes=5-99', 10, { start: 5, end: 9 }],
    ['the last of more', 'bytes=-99', 10, { start: 0, end: 9 }],
    ['behind the end', 'bytes=10-', 10, 'none'],
    ['turned round', 'bytes=5-2', 10, null],
    ['several', 'bytes=0-1,3-4', 10, null],
    ['another unit', 'pages=1-2', 10, null],
    ['nothing', 'bytes=-', 10, null],
    ['the last none', 'bytes=-0', 10, 'none'],
  ])('range: %s', (_what, header, size, expected) => {
    expect(parseRange(header, size)).toEqual(expected)
  })

  it('are nothing else of the disk', { timeout: 60_000 }, async () => {
    const { server, run, out } = await serve()
    await run.preview('dawn', 'v1', 1)
    await writeFile(join(out, '..', 'secret.png'), 'secret')
    await writeFile(join(out, 'foigoi/v/cues/dawn/v1/notes.txt'), 'secret')
    await symlink(join(out, '..', 'secret.png'), join(out, 'foigoi/v/cues/dawn/v1/2.png'))
    await mkdir(join(out, '..', 'linked/x'), { recursive: true })
    await writeFile(join(out, '..', 'linked/x/1.png'), 'secret')
    await symlink(join(out, '..', 'linked'), join(out, 'foigoi/v/cues/linked'))
    const known = [
      '/files/../secret.png',
      '/files/foigoi/v/cues/dawn/v1/../../../../../../secret.png',
      '/files/foigoi/v/cues/dawn/v1/..%2f..%2f..%2f..%2f..%2f..%2fsecret.png',
      '/files/foigoi/v/cues/dawn/v1/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.png',
      '/files/foigoi/v/cues/dawn/v1/..%5c..%5csecret.png',
      '/files/foigoi/v/cues/dawn/v1/notes.txt',
      '/files/foigoi/v/cues/dawn/v1/2.png',
      '/files/foigoi/v/cues/linked/x/1.png',
      `/files/.pregen/runs/${ID}/run.json`,
      `/files/.pregen/runs/${ID}/events.ndjson`,
      '/files/foigoi/v/cues/dawn/v1/1.png%00.txt',
      '/files/%ff%fe',
      '/files//etc/passwd',
      '/files/C:%5cWindows%5cwin.ini',
      '/..%2fsecret.png',
    ]
    for (const path of known) expect(await rawStatus(server, path), path).toBe(404)
    const piece = fc.constantFrom(
      '..',
      '.',
      '%2e%2e',
      '%2E.',
      '..%2f',
      '%5c..',
      'foigoi',
      'v',
      'cues',
      'dawn',
      'v1',
      '1.png',
      'secret.png',
      '.pregen',
      '%00',
      '',
      'c:',
      '~',
    )
    const escapes = fc
      .array(piece, { minLength: 1, maxLength: 9 })
      .map((pieces) => `/files/${pieces.join('/')}`)
    // What a path comes to without its dots: the picture, or the page itself.
    const isPublic = (path: string) =>
      ['/files/foigoi/v/cues/dawn/v1/1.png', '/'].includes(new URL(path, 'http://x').pathname)
    await fc.assert(
      fc.asyncProperty(escapes, async (path) => {
        const status = await rawStatus(server, path)
        return status === 404 || (status === 200 && isPublic(path))
      }),
      { seed: 20261128, numRuns: 300 },
    )
  })
})

interface Viewer {
  readonly socket: WebSocket
  readonly messages: Record<string, unknown>[]
  readonly pictures: Buffer[]
}

async function watch(server: WatchServer, query = '', said: object[] = []): Promise<Viewer> {
  const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/api/live${query}`, {
    headers: AUTHORIZED,
  })
  onTestFinished(() => socket.terminate())
  const viewer: Viewer = { socket, messages: [], pictures: [] }
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) viewer.pictures.push(data)
    else viewer.messages.push(JSON.parse(String(data)))
  })
  await once(socket, 'open')
  for (const message of said) socket.send(JSON.stringify(message))
  return viewer
}

const until = async (what: () => boolean) => {
  const end = performance.now() + 10_000
  while (!what() && performance.now() < end) await sleep(10)
  expect(what()).toBe(true)
}

it('sends viewers away when a run cannot be followed, and takes them again', async () => {
  const faults: unknown[] = []
  const { server } = await serve({ onFault: (error) => faults.push(error) })
  const broken = vi.spyOn(server.runs, 'newest').mockRejectedValue(new Error('i/o error'))
  const { socket } = await watch(server)
  const [code] = await once(socket, 'close')
  expect([code, faults.map(String)]).toEqual([1011, expect.arrayContaining(['Error: i/o error'])])
  broken.mockRestore()
  const again = await watch(server)
  await until(() => again.messages.length > 0)
  expect(again.messages[0]).toMatchObject({ type: 'progress', run: ID })
})

const VISIBLE = { type: 'visibility', visible: true }
const HIDDEN = { type: 'visibility', visible: false }

describe('watching live', () => {
  it('shows the present to who joins late, then each step and its picture', async () => {
    const { server, run } = await serve()
    await run.emit(started('v1'))
    await run.emit(stepped('v1', 1))
    await run.preview('dawn', 'v1', 1)
    const viewer = await watch(server, '', [VISIBLE])
    await until(() => viewer.pictures.length === 1)
    expect(viewer.messages[0]).toMatchObject({
      type: 'progress',
      active: true,
      run: ID,
      cue: 'dawn',
      step: 1,
      steps: 4,
      progress: 0.25,
    })
    expect(viewer.messages.at(-1)).toMatchObject({ has_image: true, image_id: 4 })
    expect(await sharp(viewer.pictures[0]).metadata()).toMatchObject({
      format: 'jpeg',
      width: 48,
      height: 32,
    })
    await run.emit(stepped('v1', 2))
    await until(() => viewer.messages.some(({ step }) => step === 2))
    await run.preview('dawn', 'v1', 2)
    await until(() => viewer.pictures.length === 2)
    await run.finish('dawn', 'v1')
    await until(() => viewer.pictures.length === 3)
    await run.emit(runFinished())
    await until(() => viewer.messages.some(({ completed }) => completed === true))
    expect(viewer.messages.at(-1)).toMatchObject({
      active: false,
      completed: true,
      progress: 1,
      eta_seconds: null,
    })
  })

  it('encodes once a step for twenty, and not at all for nobody', async () => {
    const { server, run } = await serve()
    await run.emit(started('v1'))
    const hidden = await watch(server, `?run=${ID}`, [HIDDEN])
    await until(() => hidden.messages.length > 0)
    await sleep(50)
    await run.emit(stepped('v1', 1))
    await run.preview('dawn', 'v1', 1)
    await until(() => hidden.messages.some(({ step }) => step === 1))
    await sleep(300)
    expect(server.encodes()).toBe(0)
    expect(hidden.pictures).toHaveLength(0)

    const viewers = await Promise.all(Array.from({ length: 20 }, () => watch(server, '', [VISIBLE])))
    await until(() => viewers.every(({ pictures }) => pictures.length === 1))
    await run.emit(stepped('v1', 2))
    await run.preview('dawn', 'v1', 2)
    await until(() => viewers.every(({ pictures }) => pictures.length === 2))
    expect(server.encodes()).toBe(2)
    hidden.socket.send(JSON.stringify({ type: 'unfocused', keep: true }))
    await until(() => hidden.pictures.length === 1)
    expect(server.encodes()).toBe(2)
  })

  it('sends a picture every n steps to who asked for that', async () => {
    const { server, run } = await serve()
    const all = await watch(server, '', [VISIBLE])
    const some = await watch(server, '', [VISIBLE, { type: 'every', steps: 2 }, { type: 'nonsense' }, {}])
    await until(() => all.messages.length > 0 && some.messages.length > 0)
    await run.emit(started('v1'))
    for (let step = 1; step <= 4; step++) {
      await run.emit(stepped('v1', step))
      await run.preview('dawn', 'v1', step)
      await until(() => all.pictures.length === step)
    }
    await until(() => some.pictures.length === 2)
    expect(all.pictures).toHaveLength(4)
  })

  it('tells of a run that died', async () => {
    const { server, run } = await serve()
    const viewer = await watch(server, `?run=${ID}`, [HIDDEN])
    await until(() => viewer.messages.length > 0)
    await run.record({ pid: 9_999_999 })
    await until(() => viewer.messages.some(({ active }) => active === false))
    expect(viewer.messages.at(-1)).toMatchObject({ active: false, completed: false })
  })

  it.each<[number, string, Record<string, string>]>([
    [401, '/api/live', {}],
    [403, '/api/live', { ...AUTHORIZED, origin: 'https://evil.example' }],
    [403, '/api/live', { ...AUTHORIZED, host: 'evil.example' }],
    [404, '/api/other', AUTHORIZED],
    [404, '/api/live?run=../../x', AUTHORIZED],
  ])('refuses a socket with %s (%s)', async (status, path, headers) => {
    const { server } = await serve()
    const socket = new WebSocket(`${server.origin.replace('http', 'ws')}${path}`, { headers })
    const [, response] = await once(socket, 'unexpected-response')
    expect(response.statusCode).toBe(status)
    socket.on('error', () => undefined)
    socket.terminate()
  })

  it('lets a client go that never reads', { timeout: 60_000 }, async () => {
    const { server, run } = await serve()
    const viewer = await watch(server, '', [VISIBLE])
    await until(() => viewer.messages.length > 0)
    viewer.socket.pause()
    await run.emit(started('v1'))
    // No picture waits in a queue: what is on its way stays below a bound while steps go on.
    for (let step = 1; step <= 40; step++) {
      await run.emit(stepped('v1', (step % 4) + 1))
      await run.preview('dawn', 'v1', (step % 4) + 1)
    }
    viewer.socket.resume()
    await until(() => viewer.messages.at(-1)?.has_image === true || viewer.pictures.length > 0)
    expect(server.encodes()).toBeLessThanOrEqual(41)
  })
})
