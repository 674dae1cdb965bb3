/** Gallery, grid and replay as static files under a prefix, without any server of ours. */

import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readPage, writePage } from '../../src/artifacts/page.ts'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser, type TestPage } from './support/browser.ts'
import { assetOf, type TestVariant, TWENTY_STEPS_MS, writeShow } from './support/show-tree.ts'
import { type StaticServer, startStatic } from './support/static-server.ts'

const scratch = createScratch()
const MARKUP = '<script>document.title = 1</script>'
const PAGE = '/some/prefix/foigoi/night/index.html'

/** Four axes of two values. */
const FOREST: readonly TestVariant[] = ['dawn', 'noon'].flatMap((light) =>
  ['oil', 'ink'].flatMap((style) =>
    ['near', 'far'].flatMap((distance) =>
      ['1', '2'].map((seed) => ({
        ...{ cue: 'forest', variant: `${light}-${style}-${distance}-${seed}`, seed, prompt: 'a forest' },
        ...{ stepsMs: [20, 20], axes: { light, style, distance, seed } },
      })),
    ),
  ),
)
const VARIANTS: readonly TestVariant[] = [
  { cue: 'dawn', variant: 'wide', stepsMs: TWENTY_STEPS_MS, prompt: MARKUP },
  {
    cue: 'dawn',
    variant: 'close',
    stepsMs: TWENTY_STEPS_MS.map((ms) => ms * 2),
    prompt: MARKUP,
    program: 'P2',
  },
  { cue: 'storm', variant: 'seed-1', stepsMs: null, program: 'P0', prompt: 'sea at night' },
  { cue: 'torn', variant: 'x', stepsMs: [20, 20, 20] },
  { cue: 'torn', variant: 'gone', stepsMs: [20] },
  ...FOREST,
]

let browser: TestBrowser
let host: StaticServer
let opened: TestPage

beforeAll(async () => {
  const gallery = await readPage(join(packageRoot, 'dist/watch/page'))
  const prefix = join(scratch.folder, 'some/prefix')
  const night = await writeShow(prefix, 'night', VARIANTS)
  await writePage(prefix, night, gallery)
  await writeFile(join(night, 'cues/torn/x/2.png'), 'no picture')
  await rm(join(night, 'cues/torn/gone/final.png'))
  const many = Array.from({ length: 10_000 }, (_, place) => ({
    ...{
      cue: `cue-${Math.floor(place / 100)}`,
      variant: `seed-${place}`,
      seed: String(place),
      stepsMs: null,
    },
  }))
  for (const [version, manifest] of [
    ['many', JSON.stringify({ manifest_version: 1, version: 'many', assets: many.map(assetOf) })],
    ['broken', '{"assets": ['],
    ['empty', ''],
  ] as const) {
    const folder = await writeShow(prefix, version, [])
    await writePage(prefix, folder, gallery)
    if (manifest === '') await rm(join(folder, 'manifest.json'))
    else await writeFile(join(folder, 'manifest.json'), manifest)
  }
  host = await startStatic(scratch.folder)
  browser = await startBrowser()
})
afterAll(async () => {
  await browser.close()
  await host.stop()
})
afterEach(() => opened.context.close())

const open = async (hash: string, page = PAGE, options = {}) => {
  opened = await browser.open(options)
  await opened.page.goto(`${host.origin}${page}${hash}`)
}
const text = (selector: string) => opened.page.locator(selector).first().textContent()
const count = (selector: string) => opened.page.locator(selector).count()
const waitForText = (selector: string, expected: string) =>
  opened.page.waitForFunction(
    ([selector, expected]) => document.querySelector(selector)?.textContent?.includes(expected),
    [selector, expected] as const,
  )
const red = (place: number) =>
  opened.page.evaluate(
    (place) =>
      document
        .querySelectorAll<HTMLCanvasElement>('.stage canvas')
        [place]?.getContext('2d')
        ?.getImageData(16, 16, 1, 1).data[0],
    place,
  )

describe('the gallery', () => {
  it('shows all pictures by cue, with sheet text as text, and asks nothing elsewhere', async () => {
    await open('')
    await opened.page.waitForSelector('.tile')
    expect(await text('.cue-head h2')).toContain('dawn')
    expect(await text('.cue-head p')).toBe(MARKUP)
    expect(await opened.page.title()).toBe('night · pregen')
    expect(await count('.header nav a')).toBe(3)
    expect(opened.foreign).toEqual([])
    // Beside the files of the page, only the version's own were asked for.
    expect(host.requests.filter((path) => !path.startsWith('/some/prefix/foigoi/night/'))).toEqual([])
    await opened.page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'document.title = "inline"'
      document.body.append(script)
    })
    expect(await opened.page.title()).toBe('night · pregen')
    expect(opened.errors.at(-1)).toMatch(/Content Security Policy/)
  })

  it('filters, sorts, and keeps both in the address', async () => {
    await open('')
    await opened.page.fill('input[type=search]', 'sea night')
    await opened.page.waitForFunction(() => document.querySelectorAll('.tile').length === 1)
    expect(await opened.page.evaluate(() => location.hash)).toBe('#/gallery?q=sea+night')
    await opened.page.fill('input[type=search]', 'nowhere')
    await opened.page.click('text=Show all 21')
    await opened.page.click('.chip:has-text("P2")')
    await opened.page.waitForFunction(() => document.querySelectorAll('.tile').length === 1)
    await opened.page.selectOption('[aria-label=Order]', 'slowest')
    expect(await opened.page.evaluate(() => location.hash)).toBe('#/gallery?program=P2&sort=slowest')
  })

  it('tells all about one variant', async () => {
    await open('#/gallery/dawn/close')
    await opened.page.waitForSelector('.timing')
    expect(await count('.bar-step')).toBe(20)
    expect(await text('.timing figcaption')).toContain('90 to 280 ms a step, final 40 ms')
    const facts = await opened.page.locator('.facts > div').allTextContents()
    expect(facts).toEqual(
      expect.arrayContaining([`prompt${MARKUP}`, 'seed7', 'programP2', 'schedulerflow-match-euler']),
    )
    expect(await text('.detail code')).toBe(
      'pregen run cues.yaml --cue dawn --variant close --version-id night --force',
    )
    expect(await count('.files li')).toBe(22)
    await opened.page.keyboard.press('Escape')
    await opened.page.waitForSelector('.detail', { state: 'detached' })
  })

  it('stays smooth with 10,000 variants', async () => {
    const began = performance.now()
    await open('', '/some/prefix/foigoi/many/index.html')
    await opened.page.waitForSelector('.tile')
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(await count('.tile')).toBeLessThan(80)
    const session = await opened.context.newCDPSession(opened.page)
    await session.send('Performance.enable')
    const scripting = async () => {
      const { metrics } = await session.send('Performance.getMetrics')
      return metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? 0
    }
    const costs: number[] = []
    for (let place = 1; place <= 20; place++) {
      const before = await scripting()
      await opened.page.evaluate(async (place) => {
        const box = document.querySelector('.scroll')
        box?.scrollTo(0, (box.scrollHeight * place) / 21)
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
      }, place)
      costs.push((await scripting()) - before)
    }
    costs.sort((a, b) => a - b)
    expect(costs[Math.floor(costs.length / 2)]).toBeLessThan(0.05)
    await waitForText('.rows', 'seed-95')
    await opened.page.fill('input[type=search]', 'seed-9999')
    await opened.page.waitForFunction(() => document.querySelectorAll('.tile').length === 1)
  })

  it('says what is wrong with the manifest', async () => {
    await open('', '/some/prefix/foigoi/broken/index.html')
    await waitForText('.calm', 'The manifest cannot be read')
    await opened.context.close()
    await open('', '/some/prefix/foigoi/empty/index.html')
    await waitForText('.calm', 'Nothing is published here yet')
    await opened.context.close()
    await open('#/gallery?q=torn')
    await waitForText('.place', 'final.png cannot be shown')
  })
})

describe('the grid', () => {
  // All of it is in view.
  const TALL = { viewport: { width: 1280, height: 2200 } }

  it('places four axes, hides values, and keeps it all in the address', async () => {
    await open('#/grid', PAGE, TALL)
    await opened.page.waitForSelector('.cell img')
    // The cue with the most variants, by its matrix.
    expect(await opened.page.inputValue('.bar select >> nth=0')).toBe('forest')
    const selects = opened.page.locator('.bar .pick select')
    await selects.nth(1).selectOption('light')
    await selects.nth(2).selectOption('seed')
    await selects.nth(3).selectOption('style')
    await selects.nth(4).selectOption('distance')
    expect(await opened.page.locator('.section-title').allTextContents()).toEqual([
      'oil · near',
      'oil · far',
      'ink · near',
      'ink · far',
    ])
    expect(await opened.page.locator('.column-label').allTextContents()).toEqual(['dawn', 'noon'])
    expect(await opened.page.locator('.grid-row').first().locator('.row-label').textContent()).toBe('seed 1')
    await opened.page.click('summary:has-text("Values")')
    await opened.page.uncheck('.values-box label:has-text("far") input')
    await opened.page.waitForFunction(() => document.querySelectorAll('.section-title').length === 2)
    const address = await opened.page.evaluate(() => location.hash)
    await opened.context.close()
    await open(address, PAGE, TALL)
    await opened.page.waitForSelector('.cell img')
    expect(await opened.page.locator('.section-title').allTextContents()).toEqual([
      'oil · near',
      'ink · near',
    ])
    expect(await count('.cell')).toBe(8)
  })

  it('is saved as one picture', async () => {
    await open('#/grid?cue=forest&cols=seed&rows=light&sec=style&sec2=distance')
    await opened.page.waitForSelector('.cell img')
    const [download] = await Promise.all([
      opened.page.waitForEvent('download'),
      opened.page.click('text=Save as picture'),
    ])
    const path = await download.path()
    const { width, height } = await sharp(await readFile(path)).metadata()
    expect(download.suggestedFilename()).toBe('night-forest.png')
    expect(width).toBeGreaterThan(600)
    expect(height).toBeGreaterThan(1000)
    await waitForText('button [role=status]', 'Saved')
  })

  it('keeps its labels in view and whole', async () => {
    await open('#/grid?cue=forest&cols=variant&rows=light&size=6', PAGE, {
      viewport: { width: 700, height: 500 },
    })
    await opened.page.waitForSelector('.cell img')
    const boxes = await opened.page.evaluate(async () => {
      const box = document.querySelector('.scroll')
      box?.scrollTo(900, 300)
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
      const rect = (selector: string) => document.querySelector(selector)?.getBoundingClientRect().toJSON()
      const labels = [...document.querySelectorAll('.column-label, .row-label')]
      return {
        head: rect('.grid-head'),
        row: rect('.row-label > span'),
        list: rect('.grid-list'),
        cut: labels.filter((label) => label.scrollWidth > label.clientWidth + 1).length,
      }
    })
    expect(boxes.head.top).toBeCloseTo(boxes.list.top, 0)
    expect(boxes.row.left).toBeGreaterThanOrEqual(0)
    expect(boxes.row.left).toBeLessThan(120)
    expect(boxes.cut).toBe(0)
  })
})

describe('the replay', () => {
  const ready = () => opened.page.waitForSelector('.play:enabled')
  // Who asks for less motion starts it by hand.
  const still = { reducedMotion: 'reduce' }

  it('obeys the keyboard', async () => {
    await open('#/replay/dawn/wide', PAGE, still)
    await ready()
    const press = (key: string) => opened.page.keyboard.press(key)
    // The finished picture waits until it is played.
    await waitForText('.readout', 'final')
    expect(await red(0)).toBe(255)
    await press('Home')
    await press('ArrowRight')
    await press('ArrowRight')
    await waitForText('.readout', 'step 2 of 20')
    expect(await red(0)).toBe(Math.round((2 / 21) * 255))
    await press('ArrowLeft')
    await waitForText('.readout', 'step 1 of 20')
    await press('End')
    await waitForText('.readout', 'final')
    expect(await red(0)).toBe(255)
    await press('Home')
    await press('ArrowUp')
    await press('l')
    await press('3')
    await opened.page.waitForSelector('[data-layout=slider]')
    expect(await opened.page.evaluate(() => location.hash)).toBe(
      '#/replay/dawn/wide?speed=2&loop=1&layout=slider',
    )
    await press('2')
    await opened.page.waitForSelector('[data-layout=side]')
    await press('4')
    await opened.page.waitForSelector('[data-layout=cue]')
    await press('1')
    await opened.page.waitForSelector('[data-layout=one]')
    await ready()
    // The pictures of the new layout may begin to load only now, and until they are there nothing plays.
    const label = async () => (await opened.page.locator('.play').textContent()) ?? ''
    await expect
      .poll(
        async () => {
          if (!(await label()).includes('Pause')) await press(' ')
          await sleep(300)
          return await label()
        },
        { timeout: 20_000 },
      )
      .toContain('Pause')
    await press(' ')
    await waitForText('.play', 'Play')
    await press('f')
    await opened.page.waitForFunction(() => document.fullscreenElement?.classList.contains('stage'))
    expect(await opened.page.locator('.stage figcaption').isVisible()).toBe(false)
    await press('f')
    await opened.page.waitForFunction(() => document.fullscreenElement === null)
  })

  it('plays by itself at true pace, to its end', async () => {
    await open('#/replay/dawn/wide?speed=4')
    await waitForText('.readout', 'final')
    await waitForText('.play', 'Play')
    expect(await red(0)).toBe(255)
  })

  it('compares two in step, side by side and with a slider', async () => {
    await open('#/replay/dawn/wide?layout=side&with=dawn/close', PAGE, still)
    await ready()
    expect(await count('.stage canvas')).toBe(2)
    await opened.page.keyboard.press('Home')
    await opened.page.focus('.scrubber')
    // Ten steps of the first are five of the second, which took twice as long.
    for (let step = 0; step < 10; step++) await opened.page.keyboard.press('ArrowRight')
    await waitForText('.readout', 'step 10 of 20')
    const at = TWENTY_STEPS_MS.slice(0, 10).reduce((sum, ms) => sum + ms, 0)
    let slower = 0
    for (let sum = 0; sum + TWENTY_STEPS_MS[slower]! * 2 <= at; slower++) sum += TWENTY_STEPS_MS[slower]! * 2
    expect([await red(0), await red(1)]).toEqual([
      Math.round((10 / 21) * 255),
      Math.round((slower / 21) * 255),
    ])
    await opened.page.keyboard.press('3')
    await opened.page.waitForSelector('.divider')
    await opened.page.focus('.divider')
    await opened.page.keyboard.press('ArrowLeft')
    await opened.page.waitForSelector('.divider[aria-valuenow="48"]')
  })

  it('plays a list of cues that moves on by itself, or on a key', async () => {
    await open('#/replay/torn?list=torn|storm|dawn&advance=key&speed=8')
    await waitForText('.readout', 'final')
    await opened.page.keyboard.press('PageDown')
    await waitForText('.stage figcaption', 'storm / seed-1')
    await waitForText('.stage-note', 'No steps were kept')
    await opened.page.keyboard.press('PageUp')
    await waitForText('.stage figcaption', 'torn / x')
    await opened.page.click('summary:has-text("Playlist")')
    await opened.page.check('text=by itself')
    await waitForText('.stage figcaption', 'storm / seed-1')
    await waitForText('.stage figcaption', 'dawn / wide')
  })

  it('shows what it can of damaged variants, and says what it cannot', async () => {
    await open('#/replay/torn/x', PAGE, still)
    await waitForText('.stage-note', '2.png: missing or damaged')
    await opened.context.close()
    await open('#/replay/torn/gone', PAGE, still)
    await waitForText('.tile-fault', 'torn / gone cannot be shown: final.png is not there')
  })
})
