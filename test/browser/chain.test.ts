/** One video from its first step to the stage: watched while it forms, stopped, gone on with, sent, verified, replayed. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { RunList } from '../../src/watch/runs/run-list.ts'
import { unpackVideos } from '../families/wan-reference.ts'
import { runCli } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { startBrowser, type TestBrowser } from './support/browser.ts'
import { type Served, startServed } from './support/served.ts'

const { modelPath } = unpackVideos()
const { folder: out } = createScratch()
const variant = join(out, 'foigoi/v/cues/fox/seed-1')
let browser: TestBrowser
let served: Served
let moto: MotoServer

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('chain')
  served = await startServed(out)
  browser = await startBrowser()
}, 120_000)
afterAll(async () => {
  await browser.close()
  await served.stop()
  await moto.stop()
})

const sheetOf = () =>
  writeSheet(out, {
    version: 'v',
    models: { wan: modelPath('wan-t2v-tiny') },
    programs: { P1: { previews: { every: 100 } } },
    cues: {
      fox: {
        ...{ program: 'P1', prompt: 'a fox', seeds: [1], num_frames: 33, width: 64, height: 64 },
        // A replay of a second or more.
        ...{ steps: 800, guidance_scale: 1, frames: true },
      },
    },
    storage: { bucket: 'chain', endpoint: moto.endpoint },
  })

it('33 frames are watched, stopped, gone on with, sent, verified and replayed', {
  timeout: 240_000,
}, async () => {
  const sheet = await sheetOf()
  const { page, context, errors, foreign } = await browser.open()
  await page.goto(served.url)
  await page.waitForFunction(() => document.querySelector('.calm')?.textContent?.includes('No run yet'))
  const words = ['run', sheet, '--out', out, '--threads', '1', '--provider', 'cpu']
  // It stands still behind its first pictures until a hand has been at the button.
  const env = { ...BUCKET_ENV, PREGEN_FAULTS: 'step@250=stall' }
  const started = await runCli([...words, '--detach', '--format', 'ndjson'], { env })
  expect(started.code, started.stderr).toBe(0)
  const { id } = JSON.parse(started.stdout)

  await page.waitForSelector('.live-stage canvas:not([hidden])', { timeout: 120_000 })
  await page.click('text=Stop the run')
  await page.click('dialog >> text=Stop it')
  await page.waitForFunction(() => document.querySelector('.over')?.textContent?.includes('It was stopped.'))
  expect(await new RunList(out).status(id)).toMatchObject({ state: 'cancelled', done: 0 })
  expect(await readdir(variant).catch(() => [])).not.toContain('timing.json')

  const whole = await runSheet(sheet, out, [], { env: BUCKET_ENV })
  expect([whole.status, whole.stderr]).toEqual([0, ''])
  expect(whole.events.at(-1)).toMatchObject({ type: 'run-finished', done: 1, failed: 0, uploadsFailed: 0 })
  const verified = await runCli(['verify', out, '--bucket'], { env: BUCKET_ENV })
  expect([verified.code, verified.stderr]).toEqual([0, ''])

  await page.goto(`${served.origin}/#/replay/fox/seed-1`)
  await page.waitForSelector('.tile-stage canvas')
  await page.keyboard.press('f')
  await page.keyboard.press(' ')
  const last = await sharp(join(variant, 'frames/0033.png')).stats()
  const means = last.channels.slice(0, 3).map(({ mean }) => mean)
  // Colours are kept at half the width and height: what noise keeps there is its mean.
  await page.waitForFunction(
    (means) => {
      const canvas = document.querySelector<HTMLCanvasElement>('.tile-stage canvas')
      const data = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data
      if (!data) return false
      const count = data.length / 4
      return means.every((mean, channel) => {
        let sum = 0
        for (let at = channel; at < data.length; at += 4) sum += data[at] ?? 0
        return Math.abs(sum / count - mean) < 3
      })
    },
    means,
    { timeout: 30_000 },
  )
  // A browser tells of every 404: of the manifest, before a run has written it, and of steps that have no picture.
  const told = errors.filter((error) => !/(manifest\.json|\/\d+\.png\?v=\w+)$/.test(error))
  expect([told, foreign]).toEqual([[], []])
  await context.close()
})
