/** What axe-core finds, on every view, light and dark, on a desktop and a phone. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser } from './support/browser.ts'
import { liveEvents } from './support/live-events.ts'
import { startLiveRun } from './support/live-run.ts'
import { type Served, startServed } from './support/served.ts'
import { assetOf, type TestVariant, writeShow } from './support/show-tree.ts'
import './support/window.ts'

const scratch = createScratch()
const RUN = '20261126-231502-4f7a'
const VARIANTS: readonly TestVariant[] = ['1', '2', '3', '4'].flatMap((seed) =>
  ['dawn', 'noon'].map((light) => ({
    ...{ cue: 'forest', variant: `${light}-${seed}`, seed, prompt: 'a forest', stepsMs: [10, 10, 10] },
    axes: { light, seed },
  })),
)
const VIEWS = [
  ['live', '#/live', '.live-caption'],
  ['gallery', '#/gallery', '.tile'],
  ['a variant', '#/gallery/forest/dawn-1', '.timing'],
  ['grid', '#/grid?cue=forest&cols=seed&sec=light', '.cell'],
  ['replay', '#/replay/forest/dawn-1', '.play:enabled'],
  ['compare', '#/replay/forest/dawn-1?layout=slider', '.divider'],
] as const

let browser: TestBrowser
let served: Served
let axe: string

beforeAll(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const out = scratch.folder
  await writeShow(out, 'night', VARIANTS.slice(0, 6))
  const run = await startLiveRun(out, RUN)
  const place = { out, current: 'forest/dawn-4', step: 1, failed: 'forest/noon-3' }
  await run.emit(...liveEvents({ version: 'night', assets: VARIANTS.map(assetOf) }, place))
  await run.step('forest', 'dawn-4', 2, 200)
  await startLiveRun(out, '20261127-000000-aaaa', { changes: { begunAt: null } })
  served = await startServed(out)
  browser = await startBrowser()
})
afterAll(async () => {
  await browser.close()
  await served.stop()
})

describe.each([
  ['light', { width: 1280, height: 800 }],
  ['dark', { width: 1280, height: 800 }],
  ['dark', { width: 390, height: 800 }],
] as const)('in %s at %j', (colorScheme, viewport) => {
  it('no view has a serious fault', async () => {
    const opened = await browser.open({ colorScheme, viewport, bypassCSP: true, reducedMotion: 'reduce' })
    const found: string[] = []
    await opened.page.goto(served.url)
    for (const [name, hash, selector] of VIEWS) {
      await opened.page.goto('about:blank')
      await opened.page.goto(`${served.origin}/${hash}`)
      await opened.page.waitForSelector(selector)
      await opened.page.evaluate(axe)
      const violations = await opened.page.evaluate(async () => (await window.axe.run()).violations)
      for (const { id, impact, nodes } of violations) {
        if (impact !== 'serious' && impact !== 'critical') continue
        found.push(...nodes.map(({ html }) => `${name}: ${id} ${html}`))
      }
      // Nothing is wider than the window.
      const over = await opened.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      if (over > 0) found.push(`${name}: ${over} px wider than the window`)
    }
    expect(found).toEqual([])
    await opened.context.close()
  })
})
