/** The live view on the server itself; runs are on disk as a real one leaves them, told event by event. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createScratch } from '../support/scratch.ts'
import { temporaryFolder } from '../support/temp.ts'
import { startBrowser, type TestBrowser, type TestPage } from './support/browser.ts'
import { liveEvents } from './support/live-events.ts'
import { type LiveRun, type LiveRunOptions, runFinished, startLiveRun } from './support/live-run.ts'
import { type Served, startServed } from './support/served.ts'
import { assetOf, type TestVariant, writeShow } from './support/show-tree.ts'
import { startStatic } from './support/static-server.ts'
import './support/window.ts'

const scratch = createScratch()
const RUN = '20261126-231502-4f7a'
const LATER = '20261127-000000-aaaa'
const MARKUP = '<img src=x onerror="document.title=1">'
const STEPS = [50, 50, 50, 50]
const VARIANTS: readonly TestVariant[] = [
  { cue: 'dawn', variant: 'a', stepsMs: STEPS, prompt: 'misty mountains' },
  { cue: 'dawn', variant: 'b', stepsMs: STEPS, prompt: MARKUP },
  { cue: 'storm', variant: 'c', stepsMs: STEPS },
]
const [RED, DARK] = [250, 10]

let browser: TestBrowser
let served: Served
let opened: TestPage
let out: string
let folders = 0

beforeAll(async () => {
  browser = await startBrowser()
})
afterAll(() => browser.close())

beforeEach(async () => {
  folders += 1
  out = `${scratch.folder}/${folders}`
  await writeShow(out, 'night', VARIANTS)
  served = await startServed(out)
})
afterEach(async () => {
  await opened.context.close()
  await served.stop()
})

/** A run that has drawn as far as a step of `dawn/b`, which has a picture. */
async function drawing(step: number, red: number, failed?: string): Promise<LiveRun> {
  const run = await startLiveRun(out, RUN)
  const place = { out, current: 'dawn/b', step: step - 1, ...(failed ? { failed } : {}) }
  await run.emit(...liveEvents({ version: 'night', assets: VARIANTS.map(assetOf) }, place))
  await run.step('dawn', 'b', step, red)
  return run
}
const queued: LiveRunOptions = { changes: { begunAt: null, expectedSeconds: 90 } }

const open = async (hash = '#/live') => {
  opened = await browser.open()
  await opened.page.goto(served.url)
  await opened.page.goto(`${served.origin}/${hash}`)
}
const text = (selector: string) => opened.page.locator(selector).first().textContent()
const waitForText = (selector: string, expected: string) =>
  opened.page.waitForFunction(
    ([selector, expected]) => document.querySelector(selector)?.textContent?.includes(expected),
    [selector, expected] as const,
  )
/** Red of the live picture's middle. */
const waitForRed = (least: number, most: number) =>
  opened.page.waitForFunction(
    ([least, most]) => {
      const canvas = document.querySelector<HTMLCanvasElement>('.live-stage canvas:not([hidden])')
      const value = canvas?.getContext('2d')?.getImageData(32, 24, 1, 1).data[0]
      return value !== undefined && value >= least && value <= most
    },
    [least, most] as const,
  )
const waitUntil = async (isTrue: () => boolean) => {
  for (let tries = 0; tries < 400 && !isTrue(); tries++) await opened.page.waitForTimeout(25)
  expect(isTrue()).toBe(true)
}
const hide = (hidden: boolean) =>
  opened.page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: hidden })
    document.dispatchEvent(new Event('visibilitychange'))
  }, hidden)

describe('a run at work', () => {
  it('is shown to who comes late, with its picture, numbers, queue, failures and the command', async () => {
    await drawing(2, RED, 'dawn/a')
    await open()
    await waitForRed(240, 255)
    await waitForText('.live-step', '2 of 4 · 0.1 s left')
    expect(await text('.live-caption h1')).toBe('dawn / b')
    expect(await text('.run-state-text')).toMatch(/^running · 0 of 3 · .* left$/)
    expect(await text('.next .name')).toBe('storm / c')
    expect(await text('.failure')).toContain('The decoded pixels hold NaN values.')
    expect(await text('.failure code')).toBe(
      `pregen run cues.yaml --cue dawn --variant a --out ${out} --version-id night`,
    )
    expect(await text('.numbers')).toContain('cuda:0 · 0.071 s/step')
    // A prompt with markup is text.
    expect(await text('.live-caption .prompt')).toBe(MARKUP)
    expect(await opened.page.title()).toBe('50 % · night')
    expect(await opened.page.getAttribute('link[rel=icon]', 'href')).toMatch(/icons\/6\.svg$/)
    expect([opened.errors, opened.foreign]).toEqual([[], []])
  })

  it('moves on step by step; a click holds one', async () => {
    const run = await drawing(1, DARK)
    await open()
    await waitForRed(0, 30)
    await run.step('dawn', 'b', 2, RED)
    await waitForRed(240, 255)
    await opened.page.click('[aria-label="Hold step 1"]')
    await waitForText('.live-step', 'held at 1 of 4')
    expect(await opened.page.getAttribute('.live-stage img', 'src')).toMatch(/cues\/dawn\/b\/1\.png/)
    await opened.page.click('text=Back to live')
    await waitForText('.live-step', '2 of 4')
    // Of a video's step that moves, what moves is held.
    await run.step('dawn', 'b', 3, { red: RED, moves: true })
    await waitForText('.live-step', '3 of 4')
    await opened.page.click('[aria-label="Hold step 3"]')
    await opened.page.waitForFunction(() => {
      const held = document.querySelector<HTMLImageElement>('.live-stage img')
      return held !== null && /b\/3\.webp/.test(held.src) && held.naturalWidth === 32
    })
    await opened.page.click('text=Back to live')
    const files = [`${out}/foigoi/night/cues/dawn/b/final.png`]
    await run.emit({ type: 'unit-finished', cue: 'dawn', variant: 'b', files, durationMs: 300 })
    await run.emit(runFinished('night'))
    await run.record({ exitCode: 0 })
    await waitForText('.over', 'Everything that was asked for is there.')
    expect(await opened.page.locator('.finished img').count()).toBe(2)
    await opened.page.waitForFunction(() => document.title === 'night · pregen')
    // The last picture is brought into the stage, and covers nothing below it.
    const bottoms = await opened.page.evaluate(() =>
      ['.live-stage img', '.live-stage'].map(
        (what) => document.querySelector(what)?.getBoundingClientRect().bottom,
      ),
    )
    expect(bottoms[0]).toBeLessThanOrEqual((bottoms[1] ?? 0) + 1)
  })

  it('asks for pictures while the socket is cut, and goes back to it', async () => {
    const run = await drawing(1, DARK)
    await open()
    await waitForRed(0, 30)
    served.cutSockets(true)
    await run.step('dawn', 'b', 2, RED)
    await waitForRed(240, 255)
    await waitForText('.numbers', 'asked for each second')
    expect(served.requests).toContain('GET /api/progress')
    served.cutSockets(false)
    await waitUntil(() => served.viewers === 1)
    await run.step('dawn', 'b', 3, DARK)
    await waitForRed(0, 30)
    await opened.page.waitForFunction(
      () => !document.querySelector('.numbers')?.textContent?.includes('asked for'),
    )
    const asked = served.requests.filter((request) => request === 'GET /api/progress').length
    await opened.page.waitForTimeout(1500)
    expect(served.requests.filter((request) => request === 'GET /api/progress').length).toBe(asked)
  })

  it('says that the run goes on while the server is away', async () => {
    await drawing(1, DARK)
    await open()
    await waitForText('.live-step', '1 of 4')
    served.broken = 503
    await waitForText('.trouble', 'Reconnecting. The run goes on.')
    served.broken = null
    await opened.page.waitForFunction(() => document.querySelector<HTMLElement>('.trouble')?.hidden)
  })

  it('costs no encoding while its tab is hidden, unless it was told to go on', async () => {
    const run = await drawing(1, DARK)
    await open()
    await waitForRed(0, 30)
    expect(served.server.encodes()).toBe(1)
    const before = served.said
    await hide(true)
    await waitUntil(() => served.said > before)
    await run.step('dawn', 'b', 2, RED)
    // Words go on to a hidden tab: its title tells them.
    await opened.page.waitForFunction(() => document.title === '50 % · night')
    await opened.page.waitForTimeout(300)
    expect(served.server.encodes()).toBe(1)
    await opened.page.check('text=Go on in the background')
    await waitForRed(240, 255)
    expect(served.server.encodes()).toBe(2)
    await run.step('dawn', 'b', 3, DARK)
    await waitForRed(0, 30)
    expect(served.server.encodes()).toBe(3)
    await opened.page.uncheck('text=Go on in the background')
    await hide(false)
    const then = served.said
    await opened.page.selectOption('.settings select', '2')
    await waitUntil(() => served.said > then)
    await run.step('dawn', 'b', 4, RED)
    await waitForRed(240, 255)
    expect(served.server.encodes()).toBe(4)
  })

  it('is encoded once a step for twenty viewers', async () => {
    const run = await drawing(1, DARK)
    await open()
    await waitForRed(0, 30)
    await opened.page.evaluate(async () => {
      window.pictures = Array.from({ length: 19 }, () => 0)
      const opening = window.pictures.map(
        (_, place) =>
          new Promise<void>((resolve, reject) => {
            const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/api/live`)
            socket.onopen = () => socket.send('{"type":"visibility","visible":true}')
            socket.onerror = () => reject(new Error('refused'))
            socket.onmessage = ({ data }) => {
              if (!(data instanceof Blob)) return
              window.pictures[place]! += 1
              resolve()
            }
          }),
      )
      await Promise.all(opening)
    })
    // Who came late got the picture that was there.
    expect(served.server.encodes()).toBe(1)
    await run.step('dawn', 'b', 2, RED)
    await opened.page.waitForFunction(() => window.pictures.every((pictures) => pictures === 2))
    await waitForRed(240, 255)
    expect(served.server.encodes()).toBe(2)
  })
})

describe('other states', () => {
  it('without a run say so', async () => {
    await served.stop()
    out = await temporaryFolder()
    served = await startServed(out)
    await open()
    await waitForText('.calm', 'No run yet')
    await opened.context.close()
    await open('#/gallery')
    await waitForText('.calm', 'No run yet')
  })

  it('of a run that died give the command that goes on', async () => {
    const run = await drawing(1, DARK)
    await run.record({ pid: 9_999_999 })
    await open()
    await waitForText('.over', 'Its process is gone')
    expect(await text('.over code')).toBe(`pregen run cues.yaml --out ${out} --version-id night`)
  })

  it('of queued runs are listed, and can be looked at', async () => {
    await drawing(1, DARK)
    await startLiveRun(out, LATER, queued)
    await open()
    await waitForText('.side', 'queued, place 1, 1 min 30 s')
    await opened.page.click('.next a')
    await waitForText('.live-none', 'Waiting for its turn')
  })
})

describe('who was not let in', () => {
  it('is told where to find the key', async () => {
    opened = await browser.open()
    const answer = await opened.page.goto(served.origin)
    expect(answer?.status()).toBe(401)
    const wrong = await opened.page.goto(`${served.origin}/?token=not-this-one`)
    expect(wrong?.status()).toBe(401)
    // One that was let in, and no more: the server was started anew.
    await opened.page.goto(served.url)
    await opened.context.clearCookies()
    await waitForText('.trouble', 'open the address that pregen printed')
  })

  it('gets nothing by another name, though it leads here', async () => {
    opened = await browser.open()
    const url = served.url.replace('127.0.0.1', 'rebound.example')
    expect((await opened.page.goto(url))?.status()).toBe(403)
  })

  it('has no socket from a page of another origin, though its browser has the cookie', async () => {
    await drawing(1, DARK)
    await open()
    await waitForRed(0, 30)
    const stranger = await startStatic(scratch.folder, { pages: { '/page.html': '<!doctype html><p>hello' } })
    try {
      await opened.page.goto(`${stranger.origin}/page.html`)
      const end = await opened.page.evaluate(
        (url) =>
          new Promise<string>((resolve) => {
            const socket = new WebSocket(url)
            socket.onopen = () => resolve('open')
            socket.onclose = () => resolve('refused')
          }),
        `${served.origin.replace('http', 'ws')}/api/live`,
      )
      expect(end).toBe('refused')
    } finally {
      await stranger.stop()
    }
  })
})
