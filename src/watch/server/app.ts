/** The server's routes. It holds no state of its own: what it says is read from the output folder at each request. */
import type { FileHandle } from 'node:fs/promises'
import { type Context, Hono } from 'hono'
import { messageOf, PregenError, PregenErrors } from '../../errors.ts'
import { cancelRun } from '../runs/cancel-run.ts'
import { isRunId } from '../runs/run-folder.ts'
import type { RunList } from '../runs/run-list.ts'
import { type AccessRules, judgeAccess } from './access.ts'
import { eventStream } from './event-stream.ts'
import { faultsOf } from './faults.ts'
import type { LiveHub } from './live-hub.ts'
import { openApi } from './openapi.ts'
import type { PageFile } from './page-files.ts'
import { openPublished, parseRange } from './published-file.ts'
import { addQueueRoutes, type ServedQueue } from './queue-routes.ts'
import { listVersions } from './versions.ts'

export interface Submitted {
  readonly id: string
  readonly state: string
  readonly position: number | null
  readonly eta_seconds: number | null
}

export interface AppOptions {
  readonly runs: RunList
  readonly hub: LiveHub
  readonly rules: AccessRules
  readonly page: ReadonlyMap<string, PageFile>
  readonly version: string
  /** Aborted: streams end with what they have. */
  readonly closing: AbortSignal
  /** Checks and starts a run; @throws PregenErrors with all faults of its sheet */
  readonly submit: (body: unknown) => Promise<Submitted>
  /** null: none was named. */
  readonly queue: ServedQueue | null
  /** What a scraper is answered. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>
}

const CONTENT_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const MAX_BODY_BYTES = 2 * 1024 * 1024

export function createApp(options: AppOptions): Hono {
  const { runs, hub, rules, page, version, closing, submit, metrics, queue } = options
  const app = new Hono()

  app.use(async (context, next) => {
    const header = (name: string) => context.req.header(name)
    const queryToken = context.req.path === '/' ? context.req.query('token') : undefined
    const access = judgeAccess(
      {
        ...{ host: header('host'), origin: header('origin'), cookie: header('cookie') },
        ...{ authorization: header('authorization'), queryToken },
      },
      rules,
    )
    // What a browser asks before a request of another origin carries no token.
    if (context.req.method === 'OPTIONS' && rules.origins.includes(header('origin') ?? '')) {
      return withCors(context.body(null, 204), header('origin') ?? '')
    }
    if (!access.allowed)
      return context.json({ error: { code: 'not_allowed', message: access.why } }, access.status)
    if (queryToken !== undefined) {
      const cookie = `${rules.cookieName}=${rules.token}; HttpOnly; SameSite=Strict; Path=/`
      return context.body(null, 303, { location: './', 'set-cookie': cookie })
    }
    await next()
    const { headers } = context.res
    headers.set('x-content-type-options', 'nosniff')
    headers.set('referrer-policy', 'no-referrer')
    headers.set('content-security-policy', CONTENT_POLICY)
    if (access.origin !== null) withCors(context.res, access.origin)
    else headers.set('cross-origin-resource-policy', 'same-origin')
  })

  app.get('/api/runs', async (context) => context.json(await runs.summaries()))
  app.post('/api/runs', async (context) => {
    if (Number(context.req.header('content-length') ?? 0) > MAX_BODY_BYTES)
      return context.json(faultsOf(tooLarge()), 413)
    const submitted = await submit(await context.req.json().catch(() => null))
    return context.json({ ...submitted, url: new URL(`/#run=${submitted.id}`, context.req.url).href }, 202)
  })
  app.get('/api/runs/:id', async (context) => {
    const status = await statusOf(runs, context.req.param('id'))
    return status === null ? notFound(context) : context.json(status)
  })
  app.delete('/api/runs/:id', async (context) => {
    const id = context.req.param('id')
    if (!(await runs.has(id))) return notFound(context)
    const signal = asksForDrain(context.req.query('drain')) ? 'SIGUSR1' : 'SIGTERM'
    return context.json(await cancelRun(runs, id, undefined, signal))
  })
  app.get('/api/runs/:id/events', async (context) => {
    const id = context.req.param('id')
    if (!(await runs.has(id))) return notFound(context)
    const since = Number(context.req.header('last-event-id') ?? context.req.query('since') ?? 0)
    return eventStream(runs, id, { since: Number.isSafeInteger(since) ? since : 0, closing })
  })
  app.get('/api/progress', async (context) => {
    const found = await hub.look(context.req.query('run') ?? null)
    if (found === null)
      return context.json(
        { active: false, completed: false, run: null, progress: 0 },
        context.req.query('run') ? 404 : 200,
      )
    const progress = found.run.progress(found.isGoing)
    const since = context.req.query('since')
    const isNews = since === undefined || !progress.active || (progress.image_id ?? -1) > Number(since)
    return isNews ? context.json(progress, 200, { 'cache-control': 'no-store' }) : context.body(null, 304)
  })
  app.get('/api/versions', (context) =>
    context.json({ versions: listVersions(runs.inside), queue: queue !== null }),
  )
  if (queue !== null) addQueueRoutes(app, queue)
  app.get('/api/openapi.json', (context) => context.json(openApi(version)))
  app.get('/metrics', async (context) => {
    const { text, contentType } = await metrics()
    return context.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' })
  })
  app.get('/files/*', (context) => sendFile(context, runs))
  app.get('*', (context) => {
    const path = context.req.path === '/' ? '/index.html' : context.req.path
    const file = page.get(path)
    if (file === undefined) return notFound(context)
    return context.body(new Uint8Array(file.bytes), 200, {
      'content-type': file.contentType,
      'cache-control': 'no-cache',
    })
  })
  app.notFound((context) => notFound(context))
  app.onError((error, context) => {
    if (error instanceof PregenError || error instanceof PregenErrors)
      return context.json(faultsOf(error), 422)
    return context.json({ error: { code: 'bug', message: messageOf(error) } }, 500)
  })
  return app
}

/** @throws PregenError `E_REQUEST` for what may have been meant as either */
function asksForDrain(asked: string | undefined): boolean {
  if (asked === undefined || asked === '0' || asked === 'false') return false
  if (asked === '1' || asked === 'true') return true
  throw new PregenError('E_REQUEST', 'drain is neither 1 nor 0.', {
    help: 'drain=1 lets the run finish the pictures in hand; without it, it stops before the next step.',
  })
}

async function statusOf(runs: RunList, id: string) {
  return isRunId(id) ? await runs.status(id) : null
}

function notFound(context: Context) {
  return context.json({ error: { code: 'not_found', message: 'there is no such thing here' } }, 404)
}

function withCors(response: Response, origin: string): Response {
  response.headers.set('access-control-allow-origin', origin)
  response.headers.set('access-control-allow-headers', 'authorization, content-type, last-event-id')
  response.headers.set('access-control-allow-methods', 'GET, POST, DELETE')
  response.headers.set('vary', 'origin')
  return response
}

function tooLarge(): PregenError {
  return new PregenError('E_REQUEST', 'The request is too large.', { help: 'A sheet has 1 MiB at most.' })
}

/** The key is decoded part by part: an encoded slash is no slash of ours. */
async function sendFile(context: Context, runs: RunList): Promise<Response> {
  let parts: string[]
  try {
    parts = context.req.path.slice('/files/'.length).split('/').map(decodeURIComponent)
  } catch (error) {
    if (error instanceof URIError) return notFound(context)
    throw error
  }
  if (parts.some((part) => part === '' || /[/\\\0]/.test(part))) return notFound(context)
  const file = await openPublished(runs.inside, parts.join('/'))
  if (file === null) return notFound(context)
  const { handle, sizeBytes, etag, contentType, cacheControl } = file
  const headers = {
    etag,
    'content-type': contentType,
    'cache-control': cacheControl,
    'accept-ranges': 'bytes',
  }
  const isKnown =
    context.req
      .header('if-none-match')
      ?.split(',')
      .some((tag) => tag.trim() === etag) === true
  const range = parseRange(context.req.header('range'), sizeBytes)
  if (isKnown || range === 'none' || context.req.method === 'HEAD' || sizeBytes === 0) {
    await handle.close()
    if (isKnown) return context.body(null, 304, headers)
    if (range === 'none')
      return context.body(null, 416, { ...headers, 'content-range': `bytes */${sizeBytes}` })
    return context.body(null, 200, { ...headers, 'content-length': String(sizeBytes) })
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes - 1 }
  const body = bytesOf(handle, start, end)
  const length = { 'content-length': String(end - start + 1) }
  if (range === null) return context.body(body, 200, { ...headers, ...length })
  return context.body(body, 206, {
    ...headers,
    ...length,
    'content-range': `bytes ${start}-${end}/${sizeBytes}`,
  })
}

const CHUNK_BYTES = 256 * 1024

/** Part of a file as the client reads it; the file is closed when it has all, or leaves. */
function bytesOf(handle: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let at = start
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end + 1 - at))
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
      at += bytesRead
      if (bytesRead > 0) controller.enqueue(chunk.subarray(0, bytesRead))
      if (bytesRead > 0 && at <= end) return
      await handle.close()
      controller.close()
    },
    cancel: () => handle.close(),
  })
}
