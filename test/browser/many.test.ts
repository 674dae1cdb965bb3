/** `pregen serve` on a tree of ten thousand variants: what the first view costs, and what a scroll does. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pregenBin } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser } from './support/browser.ts'
import { runFinished, startLiveRun } from './support/live-run.ts'
import { assetOf, writeShow } from './support/show-tree.ts'

const scratch = createScratch()
const VARIANTS = 10_000
/** Seconds; of processors, so that it holds on a machine that others use too. */
const FIRST_VIEW_S = 1
const FRAME_S = 0.05

let browser: TestBrowser
let server: ChildProcess
let url: string

beforeAll(async () => {
  const out = scratch.folder
  const units = Array.from({ length: VARIANTS }, (_, place) => ({
    ...{ cue: `cue-${Math.floor(place / 100)}`, variant: `seed-${place}`, seed: String(place) },
    ...{ stepsMs: null, prompt: `the ${place}th of many prompts, as long as prompts are` },
  }))
  const folder = await writeShow(out, 'many', [])
  const assets = units.map(assetOf)
  const manifest = JSON.stringify({ manifest_version: 1, version: 'many', assets })
  await writeFile(join(folder, 'manifest.json'), manifest)
  const result = { version: 'many', prefix: 'foigoi/many', planned: VARIANTS, skipped: 0, done: VARIANTS }
  const run = await startLiveRun(out, '20261126-231502-4f7a', {
    changes: { exitCode: 0, result: { ...result, failed: 0, sent: 0 } },
  })
  await run.emit(
    {
      type: 'run-planned',
      ...{ units: VARIANTS, skipped: 0, steps: VARIANTS * 20, shard: null, version: 'many', out },
      prefix: 'foigoi/many',
      plan: units.map(({ cue, variant }) => ({ cue, variant, program: 'P1', steps: 20, action: 'run' })),
    },
    ...units.map(({ cue, variant }) => ({
      ...{ type: 'unit-finished' as const, cue, variant, durationMs: 1000 },
      files: [join(folder, 'cues', cue, variant, 'final.png')],
    })),
    runFinished('many'),
  )
  server = spawn(process.execPath, [pregenBin, 'serve', out, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [line] = await once(server.stdout ?? server, 'data')
  url = String(line).trim()
  browser = await startBrowser()
})
afterAll(async () => {
  await browser.close()
  const ended = once(server, 'exit')
  server.kill()
  await ended
})

/** Processor time of the server so far, in seconds: Linux counts hundredths. */
async function serverSeconds(): Promise<number> {
  const stat = await readFile(`/proc/${server.pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

it('answers the first view of the gallery in a second, and stays smooth', { timeout: 120_000 }, async () => {
  const { page, context, errors } = await browser.open()
  const session = await context.newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const pageSeconds = async (name: string) => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find((metric) => metric.name === name)?.value ?? 0
  }
  await page.goto(url)
  await page.waitForSelector('.calm, .live')
  // The least of three is what it costs without what else this machine does.
  const views: number[] = []
  for (let view = 0; view < 3; view++) {
    await page.goto('about:blank')
    const before = [await serverSeconds(), await pageSeconds('TaskDuration')] as const
    await page.goto(`${new URL(url).origin}/#/gallery`)
    await page.waitForSelector('.tile')
    const after = [await serverSeconds(), await pageSeconds('TaskDuration')] as const
    views.push(after[0] - before[0] + after[1] - before[1])
  }
  console.log(`first views of ${VARIANTS}: ${views.map((view) => view.toFixed(2)).join(', ')} s of processor`)
  expect(Math.min(...views)).toBeLessThan(FIRST_VIEW_S)
  expect(await page.locator('.tile').count()).toBeLessThan(80)

  // The run's log has been told by then.
  await page.waitForFunction(() =>
    document.querySelector('.run-state-text')?.textContent?.includes('10000 of'),
  )
  const costs: number[] = []
  for (let place = 1; place <= 20; place++) {
    const start = await pageSeconds('ScriptDuration')
    await page.evaluate(async (place) => {
      const box = document.querySelector('.scroll')
      box?.scrollTo(0, (box.scrollHeight * place) / 21)
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    }, place)
    costs.push((await pageSeconds('ScriptDuration')) - start)
  }
  costs.sort((a, b) => a - b)
  console.log(
    `scripting a scroll of two frames: ${costs.map((cost) => Math.round(cost * 1000)).join(' ')} ms`,
  )
  expect(costs.at(-1)).toBeLessThan(FRAME_S)
  expect(errors.filter((error) => !error.includes('404'))).toEqual([])
  await context.close()
})
