/** `<pregen-player>` as a stranger's page has it: pictures and script from another origin. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPage, writePage } from '../../src/artifacts/page.ts'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser, type TestPage } from './support/browser.ts'
import { TWENTY_STEPS_MS, writeShow } from './support/show-tree.ts'
import { type StaticServer, startStatic } from './support/static-server.ts'
import type { Told } from './support/window.ts'

const scratch = createScratch()
/** Milliseconds that a step may come later than timing.json says. */
const DRIFT_MS = 20
/** A thread that is idle has its turn every 4 ms. */
const TURN_MS = 10
const FINAL_MS = 40
const TOTAL_MS = TWENTY_STEPS_MS.reduce((sum, durationMs) => sum + durationMs, 0) + FINAL_MS

let browser: TestBrowser
let show: StaticServer
let stranger: StaticServer
let folder: string

beforeAll(async () => {
  folder = await writeShow(scratch.folder, 'night', [
    { cue: 'dawn', variant: 'wide', stepsMs: TWENTY_STEPS_MS, finalMs: FINAL_MS },
    { cue: 'dawn', variant: 'plain', stepsMs: null },
    { cue: 'dawn', variant: 'every', stepsMs: [5, 5, 5, 5, 5, 5, 5, 5, 5, 5], every: 4 },
    { cue: 'dawn', variant: 'torn', stepsMs: [10, 10, 10] },
    { cue: 'dawn', variant: 'odd', stepsMs: [10, 10] },
    { cue: 'dawn', variant: 'gone', stepsMs: [10] },
  ])
  await writePage(scratch.folder, folder, await readPage(join(packageRoot, 'dist/watch/page')))
  const cues = join(folder, 'cues/dawn')
  await writeFile(join(cues, 'torn/2.png'), (await readFile(join(cues, 'torn/2.png'))).subarray(0, 30))
  await writeFile(join(cues, 'odd/timing.json'), '{"stepDurations":{"1":5')
  await rm(join(cues, 'gone/final.png'))
  show = await startStatic(join(scratch.folder), { cors: true })
  const examples = join(packageRoot, 'docs/examples')
  const embed = await readFile(join(examples, 'embed-player.html'), 'utf8')
  const origin = show.origin.replace('127.0.0.1', 'localhost')
  stranger = await startStatic(examples, {
    pages: {
      '/embed.html': embed.replaceAll('https://show.example/foigoi/opening-night', `${origin}/foigoi/night`),
      '/blank.html': `<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="${origin}/foigoi/night/player.js"></script>`,
    },
  })
  browser = await startBrowser()
})
afterAll(async () => {
  await browser.close()
  await show.stop()
  await stranger.stop()
})

/** A stranger's page with one player, whose events it keeps. */
async function openPlayer(variant: string, attributes: Readonly<Record<string, string>> = {}) {
  const opened = await browser.open()
  await opened.page.goto(`${stranger.origin}/blank.html`)
  const src = `${show.origin.replace('127.0.0.1', 'localhost')}/foigoi/night/cues/dawn/${variant}/`
  await opened.page.evaluate(
    async ({ src, attributes }) => {
      await customElements.whenDefined('pregen-player')
      const player = document.createElement('pregen-player')
      const told: unknown[] = []
      Object.assign(window, { told, player, begun: 0 })
      const canvas = player.shadowRoot?.querySelector('canvas')
      const redNow = () => canvas?.getContext('2d')?.getImageData(16, 16, 1, 1).data[0] ?? 0
      for (const type of ['ready', 'step', 'final', 'error']) {
        player.addEventListener(type, (event) => {
          const at = performance.now() - window.begun
          told.push({ type, ...(event as CustomEvent).detail, at, red: redNow() })
        })
      }
      for (const [name, value] of Object.entries(attributes)) player.setAttribute(name, value)
      player.setAttribute('src', src)
      document.body.append(player)
    },
    { src, attributes },
  )
  return opened
}

const toldBy = ({ page }: TestPage): Promise<Told[]> => page.evaluate(() => window.told)

async function waitFor(opened: TestPage, type: string, count = 1): Promise<Told[]> {
  await opened.page.waitForFunction(
    ([type, count]) => window.told.filter((each) => each.type === type).length >= Number(count),
    [type, count] as const,
  )
  return toldBy(opened)
}

const play = ({ page }: TestPage) =>
  page.evaluate(async () => {
    const begun = performance.now()
    // When the page's thread had its turn, to know how long the machine let it wait.
    const turns = [0]
    setInterval(() => turns.push(performance.now() - begun), 1)
    Object.assign(window, { begun, turns })
    await window.player.play()
  })

/** Moments at which step 1, 2, … and the final picture are due. */
const DUE_MS = [...TWENTY_STEPS_MS, FINAL_MS].map((_, place, all) =>
  all.slice(0, place + 1).reduce((sum, durationMs) => sum + durationMs, 0),
)

/**
 * Every picture came when it was due, within 20 ms. Where this machine kept the page's thread waiting meanwhile, that
 * wait is not the player's.
 */
async function expectOnTime(
  { page }: TestPage,
  told: readonly Told[],
  dueMs: readonly number[],
): Promise<void> {
  const turns = await page.evaluate(() => window.turns)
  const waitBetween = (from: number, to: number) =>
    turns.reduce((sum, turn, place) => {
      const before = turns[place - 1] ?? 0
      const isWait = turn - before > TURN_MS
      return isWait ? sum + Math.max(0, Math.min(turn, to) - Math.max(before, from)) : sum
    }, 0)
  const tooLate = told.flatMap(({ step, at }, place) => {
    const due = dueMs[place]!
    const lateMs = at - due
    expect(lateMs).toBeGreaterThanOrEqual(0)
    const isOnTime = lateMs <= DRIFT_MS || lateMs - waitBetween(due, at) <= DRIFT_MS
    return isOnTime ? [] : [{ step, lateMs, waitMs: waitBetween(due, at) }]
  })
  expect(tooLate).toEqual([])
}

describe('the player', () => {
  it('shows each of 20 steps when its time has come, within 20 ms, never early', async () => {
    const opened = await openPlayer('wide')
    const [ready] = await waitFor(opened, 'ready')
    expect(ready).toMatchObject({ steps: 20, width: 32, height: 32, durationMs: TOTAL_MS })
    await play(opened)
    const told = (await waitFor(opened, 'final')).filter(({ type }) => type === 'step' || type === 'final')
    expect(told.map(({ type, step }) => [type, step])).toEqual([
      ...TWENTY_STEPS_MS.map((_, place) => ['step', place + 1]),
      ['final', 20],
    ])
    for (const [place, { type, step, plannedMs, actualMs, red }] of told.entries()) {
      expect(plannedMs).toBeCloseTo(DUE_MS[place]!, 3)
      expect(actualMs).toBeGreaterThanOrEqual(plannedMs)
      // What stands on the stage is that step's own picture, unless it was over before it could be drawn.
      const isOver = actualMs >= (DUE_MS[place + 1] ?? Number.POSITIVE_INFINITY)
      if (!isOver) expect(red).toBe(type === 'final' ? 255 : Math.round((step / 21) * 255))
    }
    await expectOnTime(opened, told, DUE_MS)
    expect(opened.errors).toEqual([])
    await opened.context.close()
  })

  it('keeps that over three loops', async () => {
    const opened = await openPlayer('wide', { loop: '' })
    await waitFor(opened, 'ready')
    const dueMs = [0, 1, 2].flatMap((round) => DUE_MS.map((due) => due + round * TOTAL_MS))
    await play(opened)
    const all = await waitFor(opened, 'final', 3)
    const told = all.filter(({ type }) => type === 'step' || type === 'final').slice(0, dueMs.length)
    expect(told.map(({ type, step }) => (type === 'final' ? 0 : step))).toEqual(
      dueMs.map((_, place) => (place + 1) % 21),
    )
    await expectOnTime(opened, told, dueMs)
    await opened.context.close()
  })

  it('plays at other speeds, pauses, seeks, and leads with the first step or the final picture', async () => {
    const opened = await openPlayer('wide', { speed: '8', lead: 'first' })
    await waitFor(opened, 'ready')
    const redOf = () =>
      opened.page.evaluate(() => {
        return window.player.shadowRoot?.querySelector('canvas')?.getContext('2d')?.getImageData(16, 16, 1, 1)
          .data[0]
      })
    expect(await redOf()).toBe(Math.round(255 / 21))
    await opened.page.evaluate(() => {
      window.player.seek(10)
    })
    expect(await redOf()).toBe(Math.round((10 / 21) * 255))
    await play(opened)
    const told = (await waitFor(opened, 'final')).filter(({ type }) => type !== 'ready')
    expect(told.map(({ step, type }) => (type === 'final' ? 'final' : step))).toEqual([
      ...Array.from({ length: 10 }, (_, place) => place + 11),
      'final',
    ])
    expect(told.at(-1)?.plannedMs).toBeCloseTo((TOTAL_MS - DUE_MS[9]!) / 8, 3)
    await opened.context.close()

    const last = await openPlayer('wide', { from: 'final' })
    await waitFor(last, 'ready')
    const shown = await last.page.evaluate(() => {
      const red = window.player.shadowRoot
        ?.querySelector('canvas')
        ?.getContext('2d')
        ?.getImageData(16, 16, 1, 1).data[0]
      return [red, window.player.playing]
    })
    expect(shown).toEqual([255, false])
    await last.context.close()
  })

  it('shows the final picture at once where no steps were kept', async () => {
    const opened = await openPlayer('plain', { autoplay: '' })
    const told = await waitFor(opened, 'final')
    expect(told.map(({ type, red }) => [type, red])).toEqual([
      ['ready', expect.any(Number)],
      ['final', 255],
    ])
    await opened.context.close()
  })

  it('keeps the picture before where only every k-th step has one', async () => {
    const opened = await openPlayer('every')
    await waitFor(opened, 'ready')
    const reds = await opened.page.evaluate(() => {
      const context = window.player.shadowRoot?.querySelector('canvas')?.getContext('2d')
      return Array.from({ length: 10 }, (_, place) => {
        window.player.seek(place + 1)
        return context?.getImageData(16, 16, 1, 1).data[0]
      })
    })
    const redOf = (step: number) => Math.round((step / 11) * 255)
    expect(reds).toEqual([0, 0, 0, ...Array(4).fill(redOf(4)), redOf(8), redOf(8), redOf(10)])
    expect((await toldBy(opened)).filter(({ type }) => type === 'error')).toEqual([])
    await opened.context.close()
  })

  it('tells what is damaged or missing, and shows the rest', async () => {
    const filesOf = (told: Told[]) => told.flatMap((each) => (each.type === 'error' ? [each.file] : []))
    const torn = await openPlayer('torn', { autoplay: '' })
    const toldTorn = await waitFor(torn, 'final')
    expect([filesOf(toldTorn), toldTorn.filter(({ type }) => type === 'step').length]).toEqual([['2.png'], 3])
    const odd = await openPlayer('odd', { autoplay: '' })
    expect(filesOf(await waitFor(odd, 'final'))).toEqual(['timing.json'])
    const gone = await openPlayer('gone', { autoplay: '', controls: '' })
    expect(filesOf(await waitFor(gone, 'error'))).toEqual([null])
    await gone.page.waitForFunction(() => window.player.shadowRoot?.textContent?.includes('cannot be shown'))
    for (const { context } of [torn, odd, gone]) await context.close()
  })

  it('is embedded as docs/examples shows it', async () => {
    const opened = await browser.open()
    await opened.page.goto(`${stranger.origin}/embed.html`)
    await opened.page.waitForSelector('#go:enabled')
    expect(await opened.page.textContent('#told')).toBe(`20 steps, ${TOTAL_MS} ms`)
    await opened.page.click('#go')
    await opened.page.waitForFunction(() => document.querySelector('#told')?.textContent === 'there it is')
    expect(opened.errors).toEqual([])
    await opened.context.close()
  })
})
