/** `pregen film` as a user types it: every kind of film, its moments as FFmpeg tells them, and what is refused. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Timing } from '../../src/artifacts/timing.ts'
import { parseFrameRate, rateText } from '../../src/media/frame-rate.ts'
import { readVideo } from '../../src/media/video-reader.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { createRandom } from '../support/seed.ts'
import { momentsMs, SIZE, writeShow } from './show.ts'

const { folder } = createScratch()
const out = join(folder, 'out')
mkdirSync(out)
const random = createRandom('films of the command line')
/** Twenty steps of which each has a frame of its own at every rate, so that each is looked for. */
const STEPS_MS = Array.from({ length: 20 }, () => Math.round(45 + random() * 160))
const FINAL_MS = 83
const HOLD_MS = 700
let moments: number[]

beforeAll(async () => {
  const timings = await writeShow(out, [
    { name: 'wide', stepsMs: STEPS_MS, finalMs: FINAL_MS },
    { name: 'plain', stepsMs: [], finalMs: 0 },
    { name: 'wide', cue: 'dusk', stepsMs: [40, 60], finalMs: 20 },
  ])
  moments = momentsMs(timings[0] as Timing)
})

/** `pregen film` of the one variant, into a folder of its own. @returns the film's path, as it is printed */
async function film(format: string, ...more: string[]): Promise<string> {
  const to = join(folder, `${format}-${more.join('')}`)
  const words = ['film', out, '--cue', 'dawn', '--variant', 'wide', '--format', format]
  const { code, stdout, stderr } = await runCli([...words, '--hold', `${HOLD_MS}ms`, '--to', to, ...more])
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^1 film in \d+\.\d s\n$/)])
  return stdout.trimEnd()
}

/** Presentation times in ms, of every frame in its order. */
function timesOf(path: string, ...before: string[]): number[] {
  const asked = ['-select_streams', 'v', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0']
  const { stdout, stderr } = spawnSync('ffprobe', ['-v', 'error', ...before, ...asked, path], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return stdout
    .trim()
    .split('\n')
    .map((line) => Number.parseFloat(line) * 1000)
    .sort((a, b) => a - b)
}

const stepOf = (grey: number) => Math.round((grey - 10) / 10)

/** The time at which each step is first seen, 21 being the final picture. */
async function firstSeen(path: string): Promise<ReadonlyMap<number, number>> {
  const times = timesOf(path)
  const seen = new Map<number, number>()
  let frame = 0
  for await (const { rgb } of readVideo(path)) {
    const step = stepOf(rgb[3 * SIZE.width * 8 + 24]!)
    if (!seen.has(step)) seen.set(step, times[frame]!)
    frame += 1
  }
  expect(frame).toBe(times.length)
  return seen
}

/** Each step within half a frame of its moment; the first is there from the beginning. */
function expectMoments(seen: ReadonlyMap<number, number>, fps: number, slackMs = 0.01): void {
  const { numerator, denominator } = parseFrameRate(fps)
  const halfMs = (500 * denominator) / numerator
  expect([...seen.keys()]).toEqual(Array.from({ length: 21 }, (_, at) => at + 1))
  for (const [step, time] of seen) {
    const moment = step === 1 ? 0 : moments[step - 1]!
    expect(Math.abs(time - moment), `step ${step} at ${time}, due at ${moment}`).toBeLessThanOrEqual(
      halfMs + slackMs,
    )
  }
}

describe('a film at a constant rate', () => {
  it.each([24, 25, 29.97, 60])('as mp4 at %d a second shows each step in its time', async (fps) => {
    const path = await film('mp4', '--fps', String(fps))
    expect(path).toMatch(/v1\/dawn\/wide\.mp4$/)
    expectMoments(await firstSeen(path), fps)
  })

  it.each([
    // Matroska counts in whole milliseconds.
    ['webm', 29.97, 'wide.webm', 0.5],
    ['prores', 25, 'wide.mov', 0.01],
    ['hap', 60, 'wide.mov', 0.01],
  ] as const)('as %s at %d a second', async (format, fps, name, slackMs) => {
    const path = await film(format, '--fps', String(fps))
    expect(basename(path)).toBe(name)
    expectMoments(await firstSeen(path), fps, slackMs)
  })

  it('as frames, numbered from 0, with the rate beside them', async () => {
    const path = await film('frames', '--fps', '24')
    const names = readdirSync(path).sort()
    const facts = JSON.parse(readFileSync(join(path, 'frames.json'), 'utf8'))
    expect(facts).toEqual({
      ...{ fps: rateText(parseFrameRate(24)), frames: names.length - 1, ...SIZE },
      pattern: 'wide_%05d.png',
    })
    const seen = new Map<number, number>()
    for (let frame = 0; frame < facts.frames; frame++) {
      const name = `wide_${String(frame).padStart(5, '0')}.png`
      const [grey] = await sharp(join(path, name)).raw().toBuffer()
      const step = stepOf(grey!)
      if (!seen.has(step)) seen.set(step, (frame * 1000) / 24)
    }
    expectMoments(seen, 24)
    expect(Math.abs((facts.frames * 1000) / 24 - (moments.at(-1)! + HOLD_MS))).toBeLessThanOrEqual(500 / 24)
  })
})

describe('a film of any moments', () => {
  const cuts = () => [0, ...moments.slice(1)]
  const durations = () => [...cuts().slice(1), moments.at(-1)! + HOLD_MS].map((end, at) => end - cuts()[at]!)

  it.each(['webp', 'gif', 'ffconcat'])('has the same bytes each time as %s', async (format) => {
    const [first, second] = [await film(format), await film(format, '--pace', 'true')]
    // The list names pictures by their way from where it stands, and both stand equally far from them.
    expect(readFileSync(second).equals(readFileSync(first))).toBe(true)
    if (format === 'ffconcat') {
      expect(timesOf(first, '-safe', '0').map((ms) => Math.round(ms * 1000) / 1000)).toEqual([
        ...cuts(),
        moments.at(-1)! + HOLD_MS,
      ])
      return
    }
    const { delay = [] } = await sharp(first, { animated: true }).metadata()
    if (format === 'webp') return expect(delay).toEqual(durations())
    let end = 0
    for (const [at, ms] of delay.entries()) {
      end += ms
      expect(Math.abs(end - (cuts()[at + 1] ?? moments.at(-1)! + HOLD_MS))).toBeLessThanOrEqual(5)
    }
  })
})

describe('what is refused', () => {
  const answer = async (...words: string[]): Promise<CliResult> => runCli(['film', ...words])

  it.each([
    ['a kind of film that there is not', ['--format', 'avi'], 2, 'Allowed choices are mp4, webm, webp'],
    ['a pace that is none', ['--pace', 'slow'], 2, '--pace'],
    ['a cue that there is not', ['--cue', 'noon'], 2, 'E_NOTHING_SELECTED'],
    ['a variant without step pictures', ['--variant', 'plain'], 2, 'E_NOTHING_TO_SHOW'],
    ['a version that there is not', ['--version-id', 'v9'], 2, 'E_NOTHING_TO_SHOW'],
    ['a list of pictures as a grid', ['--format', 'ffconcat', '--grid'], 2, 'E_FILM_FORMAT'],
    ['films that would go into a file', ['--to', import.meta.filename], 2, 'Choose another with --to'],
  ] as const)('%s', async (_, words, code, said) => {
    const result = await answer(out, ...words)
    expect(result.code).toBe(code)
    expect(result.stderr).toContain(said)
    expect(result.stdout).toBe('')
  })

  it('a file in place of a folder, and a folder within the one of a run', async () => {
    const file = await answer(import.meta.filename)
    expect([file.code, file.stderr]).toEqual([2, expect.stringContaining('command.test.ts is a file')])
    mkdirSync(join(out, '.pregen'), { recursive: true })
    const within = await answer(join(out, 'foigoi/v1/cues'))
    expect([within.code, within.stderr]).toEqual([
      2,
      expect.stringContaining(`It lies in the output folder ${out}: name that`),
    ])
  })

  it('a folder that is not there, and pictures that went away', async () => {
    const missing = await answer(join(folder, 'nowhere'))
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('E_OUTPUT_FOLDER')])
    const copy = join(folder, 'copy')
    await cp(out, copy, { recursive: true })
    rmSync(join(copy, 'foigoi/v1/cues/dusk/wide/final.png'))
    const some = await answer(copy, '--format', 'webp')
    expect(some.code).toBe(3)
    expect(some.stderr).toContain('dusk/wide: no film')
    expect(some.stderr).toContain('E_FILE_CHANGED')
    expect(some.stderr).toContain('final.png is gone')
    expect(dirname(some.stdout.trim())).toMatch(/films\/v1\/dawn$/)
    writeFileSync(join(copy, 'foigoi/v1/cues/dawn/wide/3.png'), 'no picture')
    const none = await answer(copy, '--format', 'gif')
    expect([none.code, none.stdout]).toEqual([3, ''])
    expect(none.stderr).toContain('3.png cannot be decoded')
    expect(none.stderr).toContain('0 films in')
  })
})
