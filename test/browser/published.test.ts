/** The demo with `gallery: true`, in a bucket behind a host that knows nothing of pregen: its address is the show. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { GetObjectCommand, NoSuchKey, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PAGE_NAMES } from '../../src/artifacts/file-names.ts'
import { packageRoot, runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runWhole } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser } from './support/browser.ts'

const scratch = createScratch()
const BUCKET = 'show'
const PREFIX = 'shows/2026'
let moto: MotoServer
let host: { readonly origin: string; stop(): void }
let browser: TestBrowser

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket(BUCKET)
  host = await startHost(moto.endpoint)
  browser = await startBrowser()
}, 120_000)
afterAll(async () => {
  await browser.close()
  host.stop()
  await moto.stop()
})

/** What a bucket's public address does: an object as it is stored, and nothing more. */
async function startHost(endpoint: string) {
  const how = { region: 'us-east-1', forcePathStyle: true, credentials: TEST_CREDENTIALS }
  const client = new S3Client({ endpoint, ...how })
  const server = createServer(async (request, response) => {
    const Key = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname.slice(1))
    try {
      const stored = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key }))
      const kept = { 'content-type': stored.ContentType, 'cache-control': stored.CacheControl }
      response.writeHead(200, kept).end(await stored.Body?.transformToByteArray())
    } catch (error) {
      response.writeHead(error instanceof NoSuchKey ? 404 : 502).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const stop = () => {
    server.closeAllConnections()
    server.close()
    client.destroy()
  }
  return { origin: `http://127.0.0.1:${port}`, stop }
}

/** The demo, in few steps. */
async function writeDemo(): Promise<string> {
  const demo = await readFile(join(packageRoot, 'cues/demo.yaml'), 'utf8')
  const quick = demo.replace('steps: 20', 'steps: 3').replace('steps: 28', 'steps: 4')
  const storage = JSON.stringify({ bucket: BUCKET, endpoint: moto.endpoint, prefix: PREFIX })
  const sheet = join(scratch.folder, 'demo.yaml')
  await writeFile(sheet, `${quick}\ngallery: true\nstorage: ${storage}\n`)
  await cp(join(packageRoot, 'cues/stage.png'), join(scratch.folder, 'stage.png'))
  return sheet
}

it('the published demo replays from its address', { timeout: 400_000 }, async () => {
  const sheet = await writeDemo()
  const out = join(scratch.folder, 'out')
  const { events } = await runWhole(sheet, out, [], { env: BUCKET_ENV })
  const sent = events.flatMap((event) => (event.type === 'object-uploaded' ? [event.key] : []))
  // The page goes last, and index.html after all that it asks for.
  expect(sent.slice(-6)).toEqual(['manifest.json', ...PAGE_NAMES].map((name) => `foigoi/demo/${name}`))
  const again = await runWhole(sheet, out, [], { env: BUCKET_ENV })
  expect(again.events.filter(({ type }) => type === 'object-uploaded')).toEqual([])
  const verified = await runCli(['verify', out, '--bucket'], { env: BUCKET_ENV })
  expect([verified.code, verified.stderr]).toEqual([0, expect.not.stringContaining('page.js')])

  const url = `${host.origin}/${PREFIX}/foigoi/demo/index.html`
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')]).toEqual([
    ...[200, 'text/html; charset=utf-8', 'no-cache'],
  ])
  const { page, context, errors, foreign } = await browser.open()
  await page.goto(url)
  await page.waitForSelector('.tile img')
  await page.goto(`${url}#/replay/dawn/wide?speed=8`)
  await page.waitForFunction(() => document.querySelector('.readout')?.textContent?.includes('final'))
  const shown = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.stage canvas')
    return canvas && [canvas.width, canvas.height]
  })
  expect(shown).toEqual([256, 144])
  expect([errors, foreign]).toEqual([[], []])
  await context.close()
})
