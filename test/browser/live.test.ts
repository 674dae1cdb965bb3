/** The live view against a server that says what the contract says. */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser, type TestPage } from './support/browser.ts'
import { type FakeServer, startFakeServer } from './support/fake-server.ts'
import { liveEvents } from './support/live-events.ts'
import { assetOf, jpegOf, type TestVariant, writeShow } from './support/show-tree.ts'

const scratch = createScratch()
const RUN = '20261126-231502-4f7a'
const MARKUP = '<img src=x onerror="document.title=1">'
const STEPS = [50, 50, 50, 50]
const VARIANTS: readonly TestVariant[] = [
  { cue: 'dawn', variant: 'a', stepsMs: STEPS, prompt: 'misty mountains' },
  { cue: 'dawn', variant: 'b', stepsMs: STEPS, prompt: MARKUP },
  { cue: 'storm', variant: 'c', stepsMs: STEPS },
]
const ABOUT = { version: 'night', prefix: 'foigoi/night', sheet: 'cues.yaml', out: 'out' }

let browser: TestBrowser
let server: FakeServer
let opened: TestPage
let red: Buffer
let dark: Buffer

beforeAll(async () => {
  await writeShow(scratch.folder, 'night', VARIANTS)
  red = await jpegOf(64, 48, 250)
  dark = await jpegOf(64, 48, 10)
  browser = await startBrowser()
})
afterAll(() => browser.close())

beforeEach(async () => {
  server = await startFakeServer(join(packageRoot, 'dist/watch/page'), scratch.folder)
  server.versions = [{ version: 'night', prefix: 'foigoi/night' }]
  server.runs = [{ id: RUN, state: 'running', eta_seconds: 30, ...ABOUT }]
})
afterEach(async () => {
  await opened.context.close()
  await server.stop()
})

const log = (current: string, step: number, failed?: string) =>
  liveEvents(
    { version: 'night', assets: VARIANTS.map(assetOf) },
    { current, step, ...(failed ? { failed } : {}) },
  )
const progress = (step: number, image_id: number) => ({
  ...{ active: true, run: RUN, cue: 'dawn', variant: 'b', step, steps: 4, progress: step / 4, image_id },
})
const open = async (hash = '#/live') => {
  opened = await browser.open()
  await opened.page.goto(`${server.origin}/${hash}`)
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
  for (let tries = 0; tries < 200 && !isTrue(); tries++) await opened.page.waitForTimeout(25)
  expect(isTrue()).toBe(true)
}

describe('a run at work', () => {
  it('is shown to who comes late, with its picture, numbers, queue, failures and the command', async () => {
    server.emit(RUN, ...log('dawn/b', 2, 'dawn/a'))
    server.push(progress(2, 2), red)
    await open()
    await waitForRed(240, 255)
    await waitForText('.live-step', '2 of 4 · 0.1 s left')
    expect(await text('.live-caption h1')).toBe('dawn / b')
    expect(await text('.run-state-text')).toMatch(/^running · 0 of 3 · .* left$/)
    expect(await text('.next .name')).toBe('storm / c')
    expect(await text('.failure')).toContain('The decoded pixels hold NaN values.')
    expect(await text('.failure code')).toBe('pregen run cues.yaml --cue dawn --variant a --version-id night')
    expect(await text('.numbers')).toContain('cuda:0 · 0.071 s/step')
    // A prompt with markup is text.
    expect(await text('.live-caption .prompt')).toBe(MARKUP)
    expect(await opened.page.title()).toBe('50 % · night')
    expect(await opened.page.getAttribute('link[rel=icon]', 'href')).toMatch(/icons\/6\.svg$/)
    expect([opened.errors, opened.foreign]).toEqual([[], []])
  })

  it('moves on step by step; a click holds one', async () => {
    server.emit(RUN, ...log('dawn/b', 1))
    server.push(progress(1, 1), dark)
    await open()
    await waitForRed(0, 30)
    server.emit(RUN, {
      type: 'step',
      cue: 'dawn',
      variant: 'b',
      step: 2,
      steps: 4,
      durationMs: 71,
      device: 'cuda:0',
    })
    server.push(progress(2, 2), red)
    await waitForRed(240, 255)
    await opened.page.click('[aria-label="Hold step 1"]')
    await waitForText('.live-step', 'held at 1 of 4')
    expect(await opened.page.getAttribute('.live-stage img', 'src')).toMatch(/cues\/dawn\/b\/1\.png/)
    await opened.page.click('text=Back to live')
    await waitForText('.live-step', '2 of 4')
    server.emit(RUN, {
      type: 'unit-finished',
      cue: 'dawn',
      variant: 'b',
      files: ['/o/final.png'],
      durationMs: 300,
    })
    server.emit(RUN, { type: 'run-finished', failed: 0, cancelled: false, version: 'night' })
    server.runs[0]!.state = 'done'
    await waitForText('.over', 'Everything that was asked for is there.')
    expect(await opened.page.locator('.finished img').count()).toBe(2)
    expect(await opened.page.title()).toBe('night · pregen')
  })

  it('asks for pictures while the socket is cut, and goes back to it', async () => {
    server.emit(RUN, ...log('dawn/b', 1))
    server.push(progress(1, 1), dark)
    await open()
    await waitForRed(0, 30)
    server.cutSockets(true)
    server.push(progress(2, 2), red)
    await waitForRed(240, 255)
    await waitForText('.numbers', 'asked for each second')
    expect(server.requests).toContain('GET /api/progress')
    server.cutSockets(false)
    await waitUntil(() => server.viewers === 1)
    server.push(progress(3, 3), dark)
    await waitForRed(0, 30)
    await opened.page.waitForFunction(
      () => !document.querySelector('.numbers')?.textContent?.includes('asked for'),
    )
    const asked = server.requests.filter((request) => request === 'GET /api/progress').length
    await opened.page.waitForTimeout(1500)
    expect(server.requests.filter((request) => request === 'GET /api/progress').length).toBe(asked)
  })

  it('says that the run goes on while the server is away', async () => {
    server.emit(RUN, ...log('dawn/b', 1))
    await open()
    await waitForText('.live-step', '1 of 4')
    server.broken = 503
    await waitForText('.trouble', 'Reconnecting. The run goes on.')
    server.broken = null
    await opened.page.waitForFunction(() => document.querySelector<HTMLElement>('.trouble')?.hidden)
  })

  it('tells the server when its tab is hidden, and what the viewer wants', async () => {
    server.emit(RUN, ...log('dawn/b', 1))
    await open()
    await waitUntil(() => server.messages.length >= 3)
    expect(server.messages).toContainEqual({ type: 'visibility', visible: true })
    expect(server.messages).toContainEqual({ type: 'every', steps: 1 })
    expect(server.messages).toContainEqual({ type: 'unfocused', keep: false })
    const hide = (hidden: boolean) =>
      opened.page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: hidden })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await hide(true)
    await waitUntil(() => server.messages.at(-1)?.visible === false)
    // Words go on to a hidden tab: its title tells them.
    server.emit(RUN, { type: 'step', cue: 'dawn', variant: 'b', step: 2, steps: 4, durationMs: 71 })
    await opened.page.waitForFunction(() => document.title === '50 % · night')
    await hide(false)
    await waitUntil(() => server.messages.at(-1)?.visible === true)
    await opened.page.check('text=Go on in the background')
    await waitUntil(() => server.messages.some((message) => message.keep === true))
    await opened.page.selectOption('.settings select', '5')
    await waitUntil(() => server.messages.some((message) => message.steps === 5))
  })

  it('is stopped by a button that asks', async () => {
    server.emit(RUN, ...log('dawn/b', 1))
    await open()
    await opened.page.click('text=Stop the run')
    await waitForText('dialog', 'Finished pictures stay.')
    expect(server.requests).not.toContain(`DELETE /api/runs/${RUN}`)
    await opened.page.click('text=Let it go on')
    await opened.page.click('text=Stop the run')
    await opened.page.click('dialog >> text=Stop it')
    await waitForText('.over', 'It was stopped.')
    expect(server.requests).toContain(`DELETE /api/runs/${RUN}`)
  })
})

describe('other states', () => {
  it('without a run say so', async () => {
    server.runs = []
    server.versions = []
    await open()
    await waitForText('.calm', 'No run yet')
    await open('#/gallery')
    await waitForText('.calm', 'No run yet')
  })

  it('of a run that died give the command that goes on', async () => {
    server.runs = [{ id: RUN, state: 'died', ...ABOUT }]
    server.emit(RUN, ...log('dawn/b', 1))
    await open()
    await waitForText('.over', 'Its process is gone')
    expect(await text('.over code')).toBe('pregen run cues.yaml --version-id night')
  })

  it('without the key say where to find it', async () => {
    server.broken = 401
    await open()
    await waitForText('.trouble', 'open the address that pregen printed')
  })

  it('of queued runs are listed, and can be looked at', async () => {
    server.runs.push({ id: '20261127-000000-aaaa', state: 'queued', position: 1, eta_seconds: 90, ...ABOUT })
    server.emit(RUN, ...log('dawn/b', 1))
    await open()
    await waitForText('.side', 'queued, place 1, 1 min 30 s')
    await opened.page.click('.next a')
    await waitForText('.live-none', 'Waiting for its turn')
  })
})
