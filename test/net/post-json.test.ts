import { createHmac } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { checkCallbackUrl, type PostOptions, postJson } from '../../src/net/post-json.ts'
import { type LocalServer, startServer } from './local-server.ts'

const options: PostOptions = {
  attempts: 3,
  timeoutMs: 2000,
  baseDelayMs: 1,
  maxDelayMs: 4,
  allowPrivate: true,
  secret: 'hunter2',
}

let server: LocalServer
let url: string
let received: { readonly request: IncomingMessage; readonly body: string }[]
let answer: (response: ServerResponse, count: number) => void

beforeEach(async () => {
  received = []
  server = await startServer('http', async (request, response) => {
    received.push({ request, body: await text(request) })
    answer(response, received.length)
  })
  url = `http://127.0.0.1:${server.port}/hook?token=hunter2`
})
afterEach(() => server.close())

it('sends JSON signed with the secret', async () => {
  answer = (response) => response.writeHead(202).end()
  await expect(postJson(url, { status: 'fertig ✓' }, options)).resolves.toEqual({
    ok: true,
    status: 202,
    attempts: 1,
  })
  const [{ request, body }] = received as [(typeof received)[0]]
  expect(JSON.parse(body)).toEqual({ status: 'fertig ✓' })
  expect(request.method).toBe('POST')
  expect(request.url).toBe('/hook?token=hunter2')
  expect(request.headers['content-type']).toBe('application/json')
  expect(request.headers['x-pregen-signature']).toBe(
    `sha256=${createHmac('sha256', 'hunter2').update(body, 'utf8').digest('hex')}`,
  )
})

it('has no signature without a secret', async () => {
  answer = (response) => response.end()
  await postJson(url, {}, { ...options, secret: undefined })
  expect(received[0]!.request.headers).not.toHaveProperty('x-pregen-signature')
})

it.each([500, 503, 429, 408])('tries again after status %i', async (status) => {
  answer = (response, count) => response.writeHead(count < 3 ? status : 200).end()
  await expect(postJson(url, {}, options)).resolves.toEqual({ ok: true, status: 200, attempts: 3 })
})

it('tries again after a broken connection', async () => {
  answer = (response, count) => (count < 2 ? response.destroy() : response.end())
  await expect(postJson(url, {}, options)).resolves.toEqual({ ok: true, status: 200, attempts: 2 })
})

it('gives up after the last attempt and says why, without the query', async () => {
  answer = (response) => response.writeHead(503).end()
  await expect(postJson(url, {}, options)).resolves.toEqual({
    ok: false,
    status: 503,
    attempts: 3,
    reason: `http://127.0.0.1:${server.port}/hook answers with status 503`,
  })
})

it.each([301, 400, 401, 404, 410])('takes status %i as the last word', async (status) => {
  answer = (response) => response.writeHead(status, { location: '/elsewhere' }).end()
  await expect(postJson(url, {}, options)).resolves.toMatchObject({ ok: false, status, attempts: 1 })
})

it.each([
  ['http://stage.test/', /not an https URL/],
  ['https://127.0.0.1/', /not a public address/],
  ['https://[fd00:ec2::254]/', /not a public address/],
  ['nowhere', /not a URL/],
])('does not even try %s where private addresses are not allowed', async (target, reason) => {
  const result = await postJson(target, {}, { ...options, allowPrivate: false })
  expect(result).toEqual({ ok: false, status: null, attempts: 1, reason: expect.stringMatching(reason) })
})

it('refuses a name that resolves to a private address, without trying again', async () => {
  const resolve = vi.fn(async () => [{ address: '10.0.0.1', family: 4 }])
  const result = await postJson('https://inner.test/', {}, { ...options, allowPrivate: false, resolve })
  expect(result).toMatchObject({ ok: false, attempts: 1, reason: 'inner.test has no public address.' })
  expect(resolve).toHaveBeenCalledTimes(1)
})

it('waits with full jitter', async () => {
  answer = (response) => response.writeHead(500).end()
  const random = vi.fn(() => 0.5)
  const started = performance.now()
  await postJson(url, {}, { ...options, random, baseDelayMs: 40, maxDelayMs: 50 })
  expect(random).toHaveBeenCalledTimes(2)
  expect(performance.now() - started).toBeGreaterThanOrEqual(43)
})

it('ends a try at its time limit', async () => {
  answer = () => undefined
  await expect(postJson(url, {}, { ...options, attempts: 2, timeoutMs: 50 })).resolves.toEqual({
    ok: false,
    status: null,
    attempts: 2,
    reason: 'no answer within 0.05 s',
  })
})

it.each([
  ['during a try', 5000, 1],
  ['during a wait', 0, 60_000],
])('stops when cancelled %s', async (_, answerAfterMs, baseDelayMs) => {
  answer = (response) => void setTimeout(() => response.writeHead(500).end(), answerAfterMs).unref()
  const signal = AbortSignal.timeout(60)
  const result = await postJson(
    url,
    {},
    { ...options, baseDelayMs, maxDelayMs: baseDelayMs, random: () => 1, signal },
  )
  expect(result).toMatchObject({ ok: false, attempts: 1, reason: 'cancelled' })
})

it('answers, and does not throw, where the body cannot be JSON', async () => {
  await expect(postJson(url, { seed: 1n }, options)).resolves.toMatchObject({ ok: false, attempts: 1 })
})

it.each([
  'http://stage.test/?token=hunter2',
  'https://10.0.0.1/',
  'nowhere',
  'https://user:hunter2@stage.test/',
])('a callback to %s is refused before anything is sent', (target) => {
  expect(() => checkCallbackUrl(target, {})).toThrow(
    expect.objectContaining({ code: 'E_CALLBACK_URL', message: expect.not.stringContaining('hunter2') }),
  )
})

it('a callback over https to a name is accepted', () => {
  expect(() => checkCallbackUrl('https://stage.test/hook?token=x', {})).not.toThrow()
})
