/** What axe-core finds, on every view, light and dark, on a desktop and a phone. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser } from './support/browser.ts'
import { type FakeServer, startFakeServer } from './support/fake-server.ts'
import { liveEvents } from './support/live-events.ts'
import { assetOf, jpegOf, type TestVariant, writeShow } from './support/show-tree.ts'

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
let server: FakeServer
let axe: string

beforeAll(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  await writeShow(scratch.folder, 'night', VARIANTS.slice(0, 6))
  server = await startFakeServer(join(packageRoot, 'dist/watch/page'), scratch.folder)
  server.versions = [{ version: 'night', prefix: 'foigoi/night' }]
  server.runs = [
    { id: RUN, state: 'running', version: 'night', prefix: 'foigoi/night', sheet: 'cues.yaml' },
    { id: '20261127-000000-aaaa', state: 'queued', position: 1, version: 'night' },
  ]
  const assets = VARIANTS.map(assetOf)
  server.emit(
    RUN,
    ...liveEvents(
      { version: 'night', assets },
      { current: 'forest/dawn-4', step: 2, failed: 'forest/noon-3' },
    ),
  )
  server.push(
    { active: true, run: RUN, cue: 'forest', variant: 'dawn-4', step: 2, steps: 3, image_id: 1 },
    await jpegOf(32, 32, 200),
  )
  browser = await startBrowser()
})
afterAll(async () => {
  await browser.close()
  await server.stop()
})

interface Finding {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly html: string }[]
}

describe.each([
  ['light', { width: 1280, height: 800 }],
  ['dark', { width: 1280, height: 800 }],
  ['dark', { width: 390, height: 800 }],
] as const)('in %s at %j', (colorScheme, viewport) => {
  it('no view has a serious fault', async () => {
    const opened = await browser.open({ colorScheme, viewport, bypassCSP: true, reducedMotion: 'reduce' })
    const found: string[] = []
    for (const [name, hash, selector] of VIEWS) {
      await opened.page.goto('about:blank')
      await opened.page.goto(`${server.origin}/${hash}`)
      await opened.page.waitForSelector(selector)
      await opened.page.evaluate(axe)
      const violations = await opened.page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } }
        return (await axe.run()).violations
      })
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
