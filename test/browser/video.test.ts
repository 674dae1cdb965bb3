/** Video variants: their steps and then the video, in the player of a stranger's page and on the published page. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPage, writePage } from '../../src/artifacts/page.ts'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser, type TestPage } from './support/browser.ts'
import { writeShow } from './support/show-tree.ts'
import { type StaticServer, startStatic } from './support/static-server.ts'

const scratch = createScratch()
const STEPS_MS = [60, 60]
const FINAL_MS = 40
const STEPS_TOTAL_MS = 160
/** Half a second of one red, half a second of another. */
const REDS = [...Array<number>(5).fill(60), ...Array<number>(5).fill(220)]

let browser: TestBrowser
let show: StaticServer
let stranger: StaticServer

beforeAll(async () => {
  const folder = await writeShow(scratch.folder, 'night', [
    { cue: 'dawn', variant: 'rising tide', stepsMs: STEPS_MS, finalMs: FINAL_MS, reds: REDS },
    ...(['webm', 'webp'] as const).map((clip) => ({
      ...{ cue: 'dawn', variant: clip, stepsMs: STEPS_MS, finalMs: FINAL_MS, reds: REDS, clip },
    })),
    { cue: 'dawn', variant: 'bare', stepsMs: null, reds: REDS },
    { cue: 'dawn', variant: 'still', stepsMs: STEPS_MS, finalMs: FINAL_MS },
  ])
  await writePage(scratch.folder, folder, await readPage(join(packageRoot, 'dist/watch/page')))
  show = await startStatic(scratch.folder, { cors: true })
  stranger = await startStatic(scratch.folder, {
    pages: {
      '/blank.html': `<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="${show.origin.replace('127.0.0.1', 'localhost')}/foigoi/night/player.js"></script>`,
    },
  })
  browser = await startBrowser()
})
afterAll(async () => {
  await browser.close()
  await show.stop()
  await stranger.stop()
})

interface Told {
  readonly type: string
  readonly durationMs?: number
  readonly file?: string
}

async function openPlayer(
  variant: string,
  attributes: Readonly<Record<string, string>> = {},
): Promise<TestPage> {
  const opened = await browser.open()
  await opened.page.goto(`${stranger.origin}/blank.html`)
  const src = `${show.origin.replace('127.0.0.1', 'localhost')}/foigoi/night/cues/dawn/${encodeURIComponent(variant)}`
  await opened.page.evaluate(
    async ({ src, attributes }) => {
      await customElements.whenDefined('pregen-player')
      const player = document.createElement('pregen-player')
      const told: unknown[] = []
      Object.assign(window, { told, player })
      for (const type of ['ready', 'step', 'final', 'error']) {
        player.addEventListener(type, (event) => told.push({ type, ...(event as CustomEvent).detail }))
      }
      for (const [name, value] of Object.entries(attributes)) player.setAttribute(name, value)
      player.setAttribute('src', src)
      document.body.append(player)
    },
    { src, attributes },
  )
  await opened.page.waitForFunction(() => (window as unknown as { told: unknown[] }).told.length > 0)
  return opened
}

const toldBy = ({ page }: TestPage): Promise<Told[]> =>
  page.evaluate(() => (window as unknown as { told: Told[] }).told)

/** Waits until the middle of the stage is about as red. */
const waitForRed = ({ page }: TestPage, red: number) =>
  page.waitForFunction((red) => {
    const { player } = window as unknown as { player?: Element }
    const canvas = (player?.shadowRoot ?? document).querySelector('canvas')
    const data = canvas?.getContext('2d')?.getImageData(16, 16, 1, 1).data
    return data !== undefined && data[3] === 255 && Math.abs((data[0] ?? 0) - red) < 12
  }, red)

const call = ({ page }: TestPage, method: 'play' | 'pause') =>
  page.evaluate(
    (method) => (window as unknown as { player: Record<string, () => unknown> }).player[method]?.(),
    method,
  )

describe('the player', () => {
  it('plays the steps of a video variant, then the video, and stays at its last frame', async () => {
    const opened = await openPlayer('rising tide')
    const [ready] = await toldBy(opened)
    expect(ready).toMatchObject({ type: 'ready', durationMs: STEPS_TOTAL_MS + 1000 })
    await call(opened, 'play')
    await waitForRed(opened, 85)
    await waitForRed(opened, 60)
    await waitForRed(opened, 220)
    await opened.page.waitForFunction(() => {
      const { player } = window as unknown as { player: { playing: boolean } }
      return !player.playing
    })
    await waitForRed(opened, 220)
    expect((await toldBy(opened)).map(({ type }) => type)).toEqual(['ready', 'step', 'step', 'final'])
    expect(opened.errors).toEqual([])
    await opened.context.close()
  })

  it.each(['webm', 'webp'])(
    'plays the steps and then the video of a variant that ends in a %s',
    async (variant) => {
      const opened = await openPlayer(variant)
      const [ready] = await toldBy(opened)
      expect(ready).toMatchObject({ type: 'ready' })
      expect(Math.abs((ready?.durationMs ?? 0) - STEPS_TOTAL_MS - 1000)).toBeLessThanOrEqual(2)
      await call(opened, 'play')
      for (const red of [85, 60, 220]) await waitForRed(opened, red)
      await opened.page.waitForFunction(() => {
        const { player } = window as unknown as { player: { playing: boolean } }
        return !player.playing
      })
      await waitForRed(opened, 220)
      expect((await toldBy(opened)).map(({ type }) => type)).toEqual(['ready', 'step', 'step', 'final'])
      await opened.page.evaluate(() => {
        const { player } = window as unknown as { player: { seek(step: number): void } }
        player.seek(3)
      })
      await waitForRed(opened, 60)
      expect(opened.errors).toEqual([])
      await opened.context.close()
    },
  )

  it('goes to the video and back by seek, and begins again by play', async () => {
    const opened = await openPlayer('rising tide')
    const seek = (step: number) =>
      opened.page.evaluate((step) => {
        const { player } = window as unknown as { player: { seek(step: number): void } }
        player.seek(step)
      }, step)
    await seek(3)
    await waitForRed(opened, 60)
    await seek(2)
    await waitForRed(opened, 170)
    await call(opened, 'play')
    await waitForRed(opened, 220)
    await opened.context.close()
  })

  it('plays a video without steps', async () => {
    const opened = await openPlayer('bare', { autoplay: '' })
    await waitForRed(opened, 220)
    expect((await toldBy(opened)).filter(({ type }) => type === 'error')).toEqual([])
    await opened.context.close()
  })

  it('asks for no video where there is none, and takes the word of `type`', async () => {
    const still = await openPlayer('still')
    expect((await toldBy(still))[0]).toMatchObject({ type: 'ready', durationMs: STEPS_TOTAL_MS })
    expect(still.errors).toEqual([])
    await still.context.close()
    const asImage = await openPlayer('rising tide', { type: 'image' })
    expect((await toldBy(asImage))[0]).toMatchObject({ type: 'ready', durationMs: STEPS_TOTAL_MS })
    await asImage.context.close()
    const missing = await openPlayer('still', { type: 'video' })
    expect(await toldBy(missing)).toContainEqual(
      expect.objectContaining({ type: 'error', file: 'final.mp4' }),
    )
    await missing.context.close()
  })
})

describe('the published page', () => {
  it('replays an animated WebP as it does a video', async () => {
    const opened = await browser.open()
    await opened.page.goto(`${show.origin}/foigoi/night/index.html#/replay/dawn/webp`)
    await opened.page.waitForSelector('.tile-stage canvas')
    await opened.page.keyboard.press(' ')
    await waitForRed(opened, 220)
    expect(opened.errors).toEqual([])
    await opened.context.close()
  })

  it('shows a video with its facts, and replays steps and video', async () => {
    const opened = await browser.open()
    const { page } = opened
    await page.goto(`${show.origin}/foigoi/night/index.html#/gallery/dawn/rising%20tide`)
    await page.waitForSelector('.detail video')
    const detail = await page.textContent('.detail')
    expect(detail).toContain('10 at 10 a second')
    expect(detail).toContain('final.mp4')
    await page.goto(`${show.origin}/foigoi/night/index.html#/replay/dawn/rising%20tide`)
    await page.waitForSelector('.tile-stage canvas')
    await page.keyboard.press(' ')
    await waitForRed(opened, 220)
    expect(opened.errors).toEqual([])
    await opened.context.close()
  })
})
