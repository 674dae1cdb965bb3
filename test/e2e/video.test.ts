/** A video on its way: cancelled between two frames, drawn again by the next run, passed over by the one after. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { unpackVideos } from '../families/wan-reference.ts'
import { runSheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const { modelPath } = unpackVideos()
const { folder } = createScratch()

it('a video of 33 frames is given up between two of them, and made whole by the next run', async () => {
  const out = join(folder, 'out')
  const sheet = await writeSheet(folder, {
    version: 'v',
    models: { wan: modelPath('wan-t2v-tiny') },
    programs: { P1: { previews: { frames: 'all' } } },
    cues: {
      fox: {
        ...{ program: 'P1', prompt: 'a fox', seeds: [1], num_frames: 33, width: 64, height: 64, steps: 2 },
        frames: true,
      },
    },
  })
  const variant = join(out, 'foigoi/v/cues/fox/seed-1')
  let isSent = false
  const stopped = await runSheet(sheet, out, ['--dry-run'], {
    onStdout(text, child) {
      if (isSent || !/"type":"frame"/.test(text)) return
      isSent = true
      child.kill('SIGTERM')
    },
  })
  expect(stopped.status).toBe(143)
  expect(stopped.events.at(-1)).toMatchObject({ type: 'run-finished', done: 0, left: 1, cancelled: true })
  expect(existsSync(join(variant, 'final.mp4'))).toBe(false)
  const drawn = stopped.events.filter(({ type }) => type === 'frame').length
  expect(drawn).toBeGreaterThan(0)
  expect(drawn).toBeLessThan(33)

  const whole = await runSheet(sheet, out, ['--dry-run'])
  expect([whole.status, whole.stderr]).toEqual([0, ''])
  expect((await readdir(variant)).sort()).toEqual([
    '1.png',
    '2.png',
    'final.mp4',
    'final.png',
    'frames',
    'timing.json',
  ])
  expect(await readdir(join(variant, 'frames'))).toHaveLength(33)
  const again = await runSheet(sheet, out, ['--dry-run'])
  expect(again.events.at(-1)).toMatchObject({ done: 0, skipped: 1, failed: 0 })
})
