/** The view of a queue: a real worker on a real Redis as a browser sees them, and what axe-core finds there. */
import type { ChildProcess } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectQueue, type QueueClient } from '../../src/queue/connect.ts'
import { writeStanding } from '../../src/queue/sheet-store.ts'
import { MODEL, stageSheet, takeNext } from '../queue/staged.ts'
import { enqueue, queuedSheet, startWorker } from '../queue/support.ts'
import type { CliResult } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { DEFAULTS, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser } from './support/browser.ts'
import { type Served, startServed } from './support/served.ts'
import './support/window.ts'

const scratch = createScratch()
let moto: MotoServer
let redis: RedisServer
let client: QueueClient
let browser: TestBrowser
let served: Served

beforeAll(async () => {
  ;[moto, redis, browser] = await Promise.all([startMoto(), startRedis(), startBrowser()])
  client = await connectQueue(redis.url)
  await moto.createBucket('page')
  const out = join(scratch.folder, 'served')
  await mkdir(out)
  served = await startServed(out, redis.url)
}, 600_000)
afterAll(async () => {
  await served.stop()
  await browser.close()
  await client.close()
  await redis.stop()
  await moto.stop()
})

const told = (page: Page, text: string, selector = '.queue') =>
  page.waitForFunction(
    ([where = '', what = '']) => document.querySelector(where)?.textContent?.includes(what),
    [selector, text],
  )

it('a sheet is drawn, tried again and cancelled from the page', { timeout: 120_000 }, async () => {
  const { page, context, errors, foreign } = await browser.open()
  await page.goto(served.url)
  // A server that has nothing but a queue shows that.
  await page.waitForFunction(() =>
    document.querySelector('main')?.textContent?.includes('The queue is empty'),
  )
  const programs = { P1: { previews: { method: 'latent2rgb' } } }
  const show = { programs, cues: { sea: { program: 'P1', prompt: 'sea', seeds: [1, 2] } } }
  const sheet = await writeSheet(scratch.folder, queuedSheet(moto, 'page', show), '<b>evening<b>.yaml')
  expect((await enqueue(redis, sheet)).counts).toMatchObject({ jobs: 2 })
  await told(page, '<b>evening<b>.yaml', '.queue-head')
  await told(page, 'waiting for a machine')
  await told(page, 'No machine is at work')

  // One unit fails for good on another machine, the other is drawn by a worker.
  const [model = ''] = Object.keys(await client.redis.hgetall(client.keys.models))
  const hand = await takeNext(client, '<i>gpu-3</i>', model)
  await hand.tell({ machine: '', device: 'cuda:0', cue: 'sea', variant: 'seed-1', step: 2, steps: 3 })
  await told(page, '<i>gpu-3</i>', 'table')
  await told(page, '2 of 3', 'table')
  await hand.fail('E_NOT_FINITE: sea/seed-1: vae decode: The decoded pixels hold <img src=x> values.')
  let worker: ChildProcess | undefined
  const worked: Promise<CliResult> = startWorker(redis, join(scratch.folder, 'work'), ['--name', 'studio'], {
    onStart: (child) => {
      worker = child
    },
  })
  await told(page, 'The decoded pixels hold <img src=x> values.', '.failure')
  await told(page, 'given up after one try, last on <i>gpu-3</i>', '.failure')
  await told(page, 'ended, not whole')
  expect(await page.textContent('.queue-figures')).toContain('1 of 2')
  expect(await page.textContent('.queue-failures code')).toMatch(/^pregen retry [0-9a-f]{8}$/)

  await page.click('.queue-head >> text=Try again')
  await page.click('dialog[open] >> text=Leave it')
  expect(served.requests.filter((request) => request.startsWith('POST'))).toEqual([])
  await page.focus('.queue-head >> text=Try again')
  await page.keyboard.press('Enter')
  await told(page, '1 job may be drawn by any machine again', 'dialog[open]')
  // The first button of the dialog has the focus.
  await page.keyboard.press('Enter')
  await told(page, 'v1: 1 job put in again', '.queue-told')
  await told(page, '2 of 2 units', '.queue-ended')

  const long = { seeds: Array.from({ length: 300 }, (_, seed) => seed) }
  const second = queuedSheet(moto, 'page', {
    ...{ version: 'long', programs, defaults: { ...DEFAULTS, steps: 40 } },
    cues: { hill: { program: 'P1', prompt: 'hill', ...long } },
  })
  await enqueue(redis, await writeSheet(scratch.folder, second, 'long.yaml'))
  await told(page, 'studio', '.queue-sheet table')
  await page.waitForFunction(() =>
    /hill \/ seed-\d+.*\d+ of 40/.test(document.querySelector('.queue-sheet table')?.textContent ?? ''),
  )
  await page.click('.queue-head >> text=Cancel')
  await told(page, 'and no manifest is written', 'dialog[open]')
  await page.click('dialog[open] >> text=Cancel the sheet')
  await page.waitForFunction(() =>
    /^long: cancelled, \d+ jobs taken out/.test(document.querySelector('.queue-told')?.textContent ?? ''),
  )
  // What was in work is finished; then it can go from the list.
  await told(page, 'cancelled', '.queue-ended')
  await page.click('.queue-ended >> text=Take off the list')
  await page.click('dialog[open] >> text=Take it off')
  await page.waitForFunction(() => !document.querySelector('.queue')?.textContent?.includes('long.yaml'))

  await redis.kill()
  await page.waitForSelector('.queue-away:not([hidden])')
  // As it was.
  expect(await page.textContent('.queue-ended')).toContain('2 of 2 units')
  await redis.start()
  await page.waitForSelector('.queue-away', { state: 'hidden' })
  worker?.kill('SIGTERM')
  expect((await worked).code).toBe(143)
  // A browser tells of every answer of 503.
  expect([errors.filter((error) => !error.includes('503')), foreign]).toEqual([[], []])
  const { versions, foreignText } = await page.evaluate(() => ({
    versions: document.querySelectorAll('.queue b, .queue i, .queue img').length,
    foreignText: document.documentElement.outerHTML.includes('redis:'),
  }))
  expect([versions, foreignText]).toEqual([0, false])
  await context.close()
})

it('a server without a queue shows none', async () => {
  const out = join(scratch.folder, 'alone')
  await mkdir(out)
  const alone = await startServed(out)
  const { page, context, errors } = await browser.open()
  await page.goto(alone.url)
  await page.goto(`${alone.origin}/#/queue`)
  await told(page, 'No run yet', 'main')
  expect(await page.locator('nav a').allTextContents()).toEqual(['Live', 'Gallery', 'Grid', 'Replay'])
  expect(errors).toEqual([])
  await context.close()
  await alone.stop()
})

describe('what axe-core finds', () => {
  let axe: string
  beforeAll(async () => {
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    const [busy, ended] = ['d'.repeat(32), 'e'.repeat(32)]
    await stageSheet(client, { id: busy, version: 'opening-night', units: 40 })
    const failing = await takeNext(client, 'gpu-2', MODEL)
    const unit = { device: 'cuda:0', cue: 'dawn', variant: 'in-snow-under-a-full-moon', step: 7, steps: 20 }
    await failing.tell({ machine: 'gpu-2', ...unit })
    await failing.fail('E_NOT_FINITE: dawn/in-snow-under-a-full-moon: vae decode: NaN values.')
    for (let place = 0; place < 14; place++) {
      const name = `ip-10-0-3-${place}.eu-west-1.compute.internal:4121`
      await (await takeNext(client, name, MODEL)).tell({ machine: name, ...unit })
    }
    await stageSheet(client, { id: ended, version: 'rehearsal', units: 1 })
    await writeStanding(client, ended, {
      state: 'done',
      ended: new Date().toISOString(),
      whole: 1,
      missing: 0,
    })
  })

  it.each([
    ['light', { width: 1280, height: 800 }],
    ['dark', { width: 1280, height: 800 }],
    ['dark', { width: 360, height: 800 }],
  ] as const)('in %s at %j is nothing', async (colorScheme, viewport) => {
    const { page, context } = await browser.open({ colorScheme, viewport, bypassCSP: true })
    await page.goto(served.url)
    await page.goto(`${served.origin}/#/queue`)
    await page.waitForSelector('.failure')
    await page.evaluate(axe)
    const find = async () => {
      const violations = await page.evaluate(async () => (await window.axe.run()).violations)
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id} ${html}`))
    }
    expect(await find()).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0)
    expect(
      await page.evaluate(() => (document.querySelector('.queue')?.scrollWidth ?? 0) - innerWidth),
    ).toBeLessThanOrEqual(0)
    await page.click('text=Show all 14 units in work')
    expect(await page.locator('tbody tr').count()).toBe(14)
    await page.click('.queue-head >> text=Cancel')
    await page.waitForSelector('dialog[open]')
    expect(await find()).toEqual([])
    await page.keyboard.press('Escape')
    // Whoever closes it is where they were.
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(
      'Cancel: opening-night',
    )
    await context.close()
  })
})
