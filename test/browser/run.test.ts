/** Real runs, from the first step to the last, as a browser sees them; and the button that ends one. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { RunList } from '../../src/watch/runs/run-list.ts'
import { packageRoot, runCli } from '../support/cli.ts'
import { tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser } from './support/browser.ts'
import { type Served, startServed } from './support/served.ts'

const scratch = createScratch()
const out = scratch.folder
let browser: TestBrowser
let served: Served

beforeAll(async () => {
  served = await startServed(out)
  browser = await startBrowser()
})
afterAll(async () => {
  await browser.close()
  await served.stop()
})

/** @param faults `PREGEN_FAULTS` */
async function startInBackground(sheet: string, faults?: string): Promise<string> {
  const words = ['run', sheet, '--out', out, '--dry-run', '--threads', '1', '--detach', '--format', 'ndjson']
  const injected = faults === undefined ? undefined : { env: { PREGEN_FAULTS: faults } }
  const { code, stdout, stderr } = await runCli(
    injected === undefined ? words : [...words, '--test-faults'],
    injected,
  )
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout).id
}

it('the demo is watched from before it begins until all of it is there', { timeout: 300_000 }, async () => {
  const demo = await readFile(join(packageRoot, 'cues/demo.yaml'), 'utf8')
  const sheet = join(out, 'demo.yaml')
  await writeFile(sheet, demo.replace('steps: 20', 'steps: 4').replace('steps: 28', 'steps: 4'))
  await cp(join(packageRoot, 'cues/stage.png'), join(out, 'stage.png'))
  const { page, context, errors, foreign } = await browser.open()
  await page.goto(served.url)
  await page.waitForFunction(() => document.querySelector('.calm')?.textContent?.includes('No run yet'))
  const id = await startInBackground(sheet)
  await page.waitForFunction(
    () => {
      const canvas = document.querySelector<HTMLCanvasElement>('.live-stage canvas:not([hidden])')
      return canvas !== null && /^\d+ % · demo$/.test(document.title)
    },
    undefined,
    { timeout: 120_000 },
  )
  const waitForEnd = () => document.querySelector('.over')?.textContent?.includes('Everything that was asked')
  await page.waitForFunction(waitForEnd, undefined, { timeout: 240_000 })
  expect(await page.textContent('.run-state-text')).toBe('done · 16 of 16')
  await page.setViewportSize({ width: 1280, height: 4000 })
  await page.click('nav >> text=Gallery')
  await page.waitForFunction(() => document.querySelectorAll('.tile img').length === 16)
  const status = await new RunList(out).status(id)
  expect(status).toMatchObject({ state: 'done', done: 16, failed: 0 })
  // One picture a step and one at the end of each unit at most, however often it was looked at.
  const pictures = 16 + 16 * 4
  expect(served.server.encodes()).toBeGreaterThan(0)
  expect(served.server.encodes()).toBeLessThanOrEqual(pictures)
  // There is no manifest before the run has written it, and a browser tells of every 404.
  expect([errors.filter((error) => !error.endsWith('/manifest.json')), foreign]).toEqual([[], []])
  await context.close()
})

it('is stopped by a button that asks', { timeout: 180_000 }, async () => {
  const cues = { long: { program: 'P1', prompt: 'a fox', seeds: Array.from({ length: 400 }, (_, i) => i) } }
  const programs = { P1: { steps: 40, previews: { method: 'latent2rgb' } } }
  const id = await startInBackground(await writeSheet(out, tinySheet({ version: 'long', programs, cues })))
  const { page, context } = await browser.open()
  await page.goto(served.url)
  await page.goto(`${served.origin}/#/live?run=${id}`)
  await page.waitForSelector('.live-caption')
  await page.click('text=Stop the run')
  await page.waitForFunction(() =>
    document.querySelector('dialog')?.textContent?.includes('Finished pictures stay.'),
  )
  await page.click('text=Let it go on')
  expect(served.requests).not.toContain(`DELETE /api/runs/${id}`)
  await page.click('text=Stop the run')
  await page.click('dialog >> text=Stop it')
  await page.waitForFunction(() => document.querySelector('.over')?.textContent?.includes('It was stopped.'))
  expect(served.requests).toContain(`DELETE /api/runs/${id}`)
  expect((await new RunList(out).status(id))?.state).toBe('cancelled')
  await context.close()
})

it('is told as stopped though a step does not end', { timeout: 180_000 }, async () => {
  const cues = { long: { program: 'P1', prompt: 'a fox', seeds: [1] } }
  const programs = { P1: { steps: 8, previews: { method: 'latent2rgb' } } }
  const sheet = await writeSheet(out, tinySheet({ version: 'stalled', programs, cues }))
  const id = await startInBackground(sheet, 'step@2=stall')
  const { page, context } = await browser.open()
  await page.goto(served.url)
  await page.goto(`${served.origin}/#/live?run=${id}`)
  await page.waitForFunction(() => document.querySelector('.live-step')?.textContent?.includes('1 of 8'))
  await page.click('text=Stop the run')
  await page.click('dialog >> text=Stop it')
  await page.waitForFunction(() => document.querySelector('.over')?.textContent?.includes('It was stopped.'))
  expect((await new RunList(out).status(id))?.state).toBe('cancelled')
  await context.close()
})

it('finishes the picture in hand where that is asked for', { timeout: 180_000 }, async () => {
  const cues = { long: { program: 'P1', prompt: 'a fox', seeds: Array.from({ length: 400 }, (_, i) => i) } }
  const programs = { P1: { steps: 40, previews: { method: 'latent2rgb' } } }
  const id = await startInBackground(await writeSheet(out, tinySheet({ version: 'drain', programs, cues })))
  const { page, context, errors } = await browser.open()
  await page.goto(served.url)
  await page.goto(`${served.origin}/#/live?run=${id}`)
  await page.waitForSelector('.live-caption')
  await page.click('text=Stop the run')
  await page.click('dialog >> text=Finish the picture in hand')
  await page.waitForFunction(() =>
    document.querySelector('.over')?.textContent?.includes('when the picture in hand was finished'),
  )
  expect(served.requests).toContain(`DELETE /api/runs/${id}`)
  const events = await readFile(join(out, '.pregen/runs', id, 'events.ndjson'), 'utf8')
  const count = (type: string) => events.split(`"type":"${type}"`).length - 1
  expect(count('unit-finished')).toBe(count('unit-started'))
  expect(await new RunList(out).status(id)).toMatchObject({ state: 'drained', failed: 0 })
  expect(errors.filter((error) => !error.endsWith('/manifest.json'))).toEqual([])
  await context.close()
})
