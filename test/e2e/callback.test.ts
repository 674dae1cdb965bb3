/** The sheet's callback on the real command line: a real receiver, a real bucket, and a run that neither can harm. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ManifestAsset } from '../../src/artifacts/manifest.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type LocalServer, startServer } from '../net/local-server.ts'
import { packageRoot } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, type Sheet, tinySheet, unitsOf, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const SECRET = 'only the receiver knows'
const ENV = {
  ...BUCKET_ENV,
  PREGEN_CALLBACK_SECRET: SECRET,
  NODE_EXTRA_CA_CERTS: join(packageRoot, 'test/fixtures/net/test-only-certificate.pem'),
}
const ALLOW = '--allow-private-urls'

const CUES = {
  dawn: { program: 'P1', prompt: 'misty mountains', seeds: [1, 2] },
  storm: { program: 'P0', prompt: 'sea at night', seeds: [3] },
}
const PROGRAMS = { P0: {}, P1: { previews: { method: 'latent2rgb' } } }
const UNITS = ['dawn/seed-1', 'dawn/seed-2', 'storm/seed-3']

interface Body {
  readonly job_id: string
  readonly status: string
  readonly assets: readonly ManifestAsset[]
  readonly metadata: Record<string, unknown>
}

interface Call {
  readonly body: Body
  readonly headers: IncomingMessage['headers']
  readonly isSigned: boolean
  /** Objects of the bucket, by key, at the moment of the call; etags are MD5 sums. */
  readonly stored: ReadonlyMap<string, string | null>
  readonly at: number
}

const scratch = createScratch()
let moto: MotoServer
let bucket: Storage
let http: LocalServer
let https: LocalServer
let upgrading: LocalServer
let calls: Call[]
let version = 0
let answer: (response: ServerResponse, count: number) => void

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const at = performance.now()
  const raw = await buffer(request)
  const expected = `sha256=${createHmac('sha256', SECRET).update(raw).digest('hex')}`
  const given = String(request.headers['x-pregen-signature'] ?? '')
  const isSigned =
    given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected))
  const stored = new Map<string, string | null>()
  for await (const { key, md5 } of bucket.list('')) stored.set(key, md5)
  calls.push({ body: JSON.parse(raw.toString()), headers: request.headers, isSigned, stored, at })
  answer(response, calls.length)
}

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
  bucket = createS3Storage({ bucket: 'show', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
  const listen = (request: IncomingMessage, response: ServerResponse) => void receive(request, response)
  http = await startServer('http', listen)
  https = await startServer('https', listen)
  upgrading = await startServer('https', (_, response) => answer(response, 1))
}, 600_000)
afterAll(async () => {
  await http.close()
  await https.close()
  await upgrading.close()
  await bucket.close()
  await moto.stop()
})
beforeEach(() => {
  calls = []
  version++
  answer = (response) => response.writeHead(200).end()
})

const hook = () => `http://127.0.0.1:${http.port}/hook?token=s3cr3t`

async function runWith(callback: unknown, rest: Sheet = {}, args: readonly string[] = [ALLOW], env = ENV) {
  const storage = { bucket: 'show', endpoint: moto.endpoint }
  const sheet = await writeSheet(
    scratch.folder,
    tinySheet({ version: `v${version}`, programs: PROGRAMS, cues: CUES, storage, callback, ...rest }),
  )
  const out = join(scratch.folder, `out-${version}`)
  const from = performance.now()
  const result = await runSheet(sheet, out, args, { env })
  return { ...result, out, tookMs: performance.now() - from }
}

const warningsOf = ({ events }: Awaited<ReturnType<typeof runWith>>) =>
  events.flatMap((event) => (event.type === 'warning' ? [`${event.code} ${event.message}`] : []))

/** Every file of an asset's variant stands in the bucket, and final.png is the one that the body speaks of. */
async function expectWhole({ stored }: Call, { cue, variant, metadata, timing_url }: ManifestAsset) {
  const folder = `foigoi/v${version}/cues/${cue}/${variant}`
  const names = timing_url === null ? ['final.png'] : ['1.png', '2.png', '3.png', 'final.png', 'timing.json']
  expect([...stored.keys()].filter((key) => key.startsWith(`${folder}/`)).sort()).toEqual(
    names.map((name) => `${folder}/${name}`),
  )
  const body = (await bucket.get(`${folder}/final.png`)) ?? Buffer.alloc(0)
  expect(createHash('sha256').update(body).digest('hex')).toBe(metadata.sha256)
  expect(stored.get(`${folder}/final.png`)).toBe(createHash('md5').update(body).digest('hex'))
}

describe('a callback', () => {
  it('once a run, over https: signed, in its documented shape, after the manifest', async () => {
    const result = await runWith(`https://127.0.0.1:${https.port}/hook`)
    expect([result.status, result.stderr]).toEqual([0, ''])
    const [call, ...others] = calls
    if (!call) throw new Error('nobody called')
    expect(others).toEqual([])
    expect(call.isSigned).toBe(true)
    expect(call.headers['content-type']).toBe('application/json')
    expect(Object.keys(call.body)).toEqual(['job_id', 'status', 'assets', 'metadata'])
    expect(call.body).toMatchObject({ job_id: `v${version}`, status: 'completed' })
    expect(call.body.metadata).toEqual({
      generation_time: expect.any(Number),
      job_type: 'text_to_image',
      reference_mode: 'none',
    })
    expect(call.body.metadata.generation_time).toBeGreaterThan(0)
    expect(call.body.assets.map(({ cue, variant }) => `${cue}/${variant}`)).toEqual(UNITS)
    for (const asset of call.body.assets) await expectWhole(call, asset)
    const manifest = await bucket.get(`foigoi/v${version}/manifest.json`)
    expect(call.stored.has(`foigoi/v${version}/manifest.json`)).toBe(true)
    expect(JSON.parse(Buffer.from(manifest ?? []).toString()).assets).toEqual(call.body.assets)
  }, 600_000)

  it('once a unit, each when its own objects stand in the bucket; with a name of its own', async () => {
    const result = await runWith({ url: hook(), on: 'unit', job_id: 'night-7' })
    expect([result.status, result.stderr]).toEqual([0, ''])
    expect(calls.length).toBe(3)
    const told: string[] = []
    for (const call of calls) {
      expect(call.isSigned).toBe(true)
      expect(call.body).toMatchObject({ job_id: 'night-7', status: 'completed' })
      const [asset, ...more] = call.body.assets
      expect(more).toEqual([])
      if (!asset) throw new Error('a call without an asset')
      told.push(`${asset.cue}/${asset.variant}`)
      await expectWhole(call, asset)
    }
    expect(told.sort()).toEqual(UNITS)
  }, 600_000)

  it('once a unit, also for units drawn before that reach the bucket now', async () => {
    const callback = { url: hook(), on: 'unit' }
    expect((await runWith(callback, {}, ['--dry-run', '--fetch', ALLOW])).status).toBe(0)
    expect(calls).toEqual([])
    const sent = await runWith(callback)
    expect([sent.status, unitsOf(sent.events, 'unit-finished')]).toEqual([0, []])
    expect(calls.length).toBe(3)
    for (const call of calls) await expectWhole(call, call.body.assets[0]!)
    const again = await runWith(callback)
    expect([again.status, calls.length]).toEqual([0, 3])
  }, 600_000)

  it('is posted again, byte for byte, while the receiver says 503', async () => {
    answer = (response, count) => response.writeHead(count < 3 ? 503 : 200).end()
    const result = await runWith(hook())
    expect([result.status, warningsOf(result)]).toEqual([0, []])
    expect(calls.map(({ isSigned }) => isSigned)).toEqual([true, true, true])
    expect(new Set(calls.map(({ body }) => JSON.stringify(body))).size).toBe(1)
  }, 600_000)

  it('that nobody takes is one warning without the query, and the run is done', async () => {
    answer = (response) => response.writeHead(404).end()
    const result = await runWith({ url: hook(), on: 'unit' })
    expect(result.status).toBe(0)
    expect(warningsOf(result)).toEqual([
      `W_CALLBACK_FAILED The callback was not delivered in 1 attempt: http://127.0.0.1:${http.port}/hook answers with status 404.`,
      'W_CALLBACK_FAILED 2 more callbacks could not be delivered.',
    ])
    expect(result.stdout).not.toContain('s3cr3t')
  }, 600_000)

  it.each([
    ['with a bucket', {}, []],
    ['without one', { storage: undefined }, []],
    ['of units drawn on a dry run', {}, ['--dry-run', ALLOW]],
  ])(
    'that was not delivered is made by the next run, once: %s',
    async (_, rest, before) => {
      const callback = { url: hook(), on: 'unit' }
      if (before.length > 0) expect((await runWith(callback, rest, before)).status).toBe(0)
      answer = (response) => response.writeHead(404).end()
      expect((await runWith(callback, rest)).status).toBe(0)
      const tried = calls.splice(0)
      answer = (response) => response.writeHead(200).end()
      const again = await runWith(callback, rest)
      expect([again.status, unitsOf(again.events, 'unit-finished'), warningsOf(again)]).toEqual([0, [], []])
      const bodies = (of: readonly Call[]) => of.map(({ body }) => JSON.stringify(body)).sort()
      expect(bodies(calls)).toEqual(bodies(tried))
      expect(calls.length).toBe(3)
      const third = await runWith(callback, rest)
      expect([third.status, calls.length]).toEqual([0, 3])
    },
    600_000,
  )

  it('that hangs holds the run for half a minute at most', async () => {
    answer = () => undefined
    const result = await runWith({ url: hook(), on: 'unit' })
    expect(result.status).toBe(0)
    expect(warningsOf(result)[0]).toMatch(/^W_CALLBACK_FAILED/)
    const drawnAt = result.events.findLast(({ type }) => type === 'object-uploaded')?.time ?? ''
    const endedAt = result.events.findLast(({ type }) => type === 'run-finished')?.time ?? ''
    expect(Date.parse(endedAt) - Date.parse(drawnAt)).toBeLessThan(33_000)
  }, 600_000)

  it('that is answered by a change of protocols is one warning, and the run tells its end', async () => {
    answer = (response) => {
      response.socket?.end('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    }
    const result = await runWith({ url: hook(), on: 'unit' })
    expect(result.status).toBe(0)
    expect(warningsOf(result)[0]).toContain('answers with status 101')
    expect(unitsOf(result.events, 'unit-finished').sort()).toEqual(UNITS)
    expect(result.events.at(-1)?.type).toBe('run-finished')
  }, 600_000)

  it('tells of a unit without its step pictures as partial, and of a run with faults too', async () => {
    const env = { ...ENV, PREGEN_FAULTS: 'preview-encode@2=throw' }
    const unit = await runWith({ url: hook(), on: 'unit' }, {}, [ALLOW], env)
    expect(unit.status).toBe(3)
    const statuses = calls.map(({ body }) => [body.status, body.assets[0]?.timing_url])
    expect(statuses.filter(([status]) => status === 'partial').map(([, timing]) => timing)).toEqual([
      null,
      null,
    ])
    calls = []
    version++
    const run = await runWith(hook(), {}, [ALLOW], env)
    expect([run.status, calls.map(({ body }) => body.status)]).toEqual([3, ['partial']])
  }, 600_000)
})

describe('an image', () => {
  it('whose server changes the protocol is a fault with its line, in plan as in run', async () => {
    answer = (response) => {
      response.socket?.end('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    }
    const image = `https://127.0.0.1:${upgrading.port}/stage.png`
    const cues = { dawn: { program: 'P0', prompt: 'x', seeds: [1], image } }
    const result = await runWith(null, { cues }, ['--dry-run', '--fetch', ALLOW])
    expect([result.status, result.stdout]).toEqual([2, ''])
    expect(result.stderr).toMatch(/sheet\.yaml:\d+:\d+ {2}E_IMAGE_URL_STATUS\n.*answers with status 101/)
  }, 600_000)
})

describe('a private address without the flag', () => {
  it.each([
    ['written out', () => `https://127.0.0.1:${https.port}/hook`],
    ['over http', () => hook()],
    ['behind a name', () => `https://localhost:${https.port}/hook`],
  ])(
    '%s is refused before any model loads',
    async (_, url) => {
      const result = await runWith(url(), {}, [])
      expect([result.status, calls]).toEqual([2, []])
      expect(result.stderr).toMatch(/sheet\.yaml:\d+:\d+ {2}E_CALLBACK_URL\n/)
      expect(result.stderr).toContain('--allow-private-urls')
      expect(result.stderr).not.toContain('s3cr3t')
      expect(result.events.map(({ type }) => type)).not.toContain('model-loaded')
    },
    600_000,
  )
})
