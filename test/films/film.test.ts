import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { confine } from '../../src/artifacts/confinement.ts'
import { FILM_DEFAULTS, type FilmFormat } from '../../src/films/film-options.ts'
import type { ReadPicture } from '../../src/films/picture-file.ts'
import { readVariantPictures } from '../../src/films/variant-pictures.ts'
import { writeFilm } from '../../src/films/write-film.ts'
import { parseFrameRate, secondsOf } from '../../src/media/frame-rate.ts'
import { inspectVideo, readVideo } from '../../src/media/video-reader.ts'
import { type FilmTreeOptions, type FilmTreeResult, filmTree } from '../../src/tasks/film.ts'
import { createRandom } from '../support/seed.ts'
import { temporaryFolder } from '../support/temp.ts'
import { levelOf, momentsMs, SIZE, writeShow } from './show.ts'

interface Filmed extends FilmTreeResult {
  readonly paths: readonly string[]
  readonly passed: readonly string[]
  readonly faults: readonly string[]
}

async function film(out: string, options: Partial<FilmTreeOptions> = {}): Promise<Filmed> {
  const paths: string[] = []
  const passed: string[] = []
  const faults: string[] = []
  const result = await filmTree({
    out,
    versions: [{ version: 'v1', prefix: 'foigoi/v1' }],
    selection: {},
    isGrid: false,
    to: undefined,
    format: 'mp4',
    pace: 'true',
    holdMs: 500,
    fadeMs: FILM_DEFAULTS.fadeMs,
    frameRate: parseFrameRate(30),
    signal: new AbortController().signal,
    on: {
      film: ({ path }) => paths.push(relative(out, path)),
      passed: (cue, variant) => passed.push(`${cue}/${variant}`),
      failed: (cue, variant, { code }) => faults.push(`${cue}/${variant} ${code}`),
    },
    ...options,
  })
  return { ...result, paths, passed, faults }
}

const random = createRandom('films')
const TWENTY = Array.from({ length: 20 }, () => 1 + random() * 180)

/** When each grey is first seen, in ms. */
async function firstSeenMs(path: string, fps: number): Promise<Map<number, number>> {
  const seen = new Map<number, number>()
  let frame = 0
  for await (const { rgb } of readVideo(path)) {
    const step = Math.round((rgb[0]! - 10) / 10)
    if (!seen.has(step)) seen.set(step, secondsOf(frame, parseFrameRate(fps)) * 1000)
    frame += 1
  }
  return seen
}

describe('a film of 20 steps', () => {
  it.each([24, 25, 29.97, 60])('at %d fps shows each step within half a frame of its moment', async (fps) => {
    const out = await temporaryFolder()
    const [timing] = await writeShow(out, [{ name: 'wide', stepsMs: TWENTY, finalMs: 70 }])
    const rate = parseFrameRate(fps)
    const { paths } = await film(out, { frameRate: rate })
    expect(paths).toEqual(['films/v1/dawn/wide.mp4'])
    const path = join(out, paths[0]!)
    const seen = await firstSeenMs(path, fps)
    const moments = momentsMs(timing!)
    const halfMs = 500 / (rate.numerator / rate.denominator)
    expect(seen.get(1)).toBe(0)
    let shown = 0
    for (const [at, moment] of moments.entries()) {
      const time = seen.get(at + 1)
      if (at === 0 || time === undefined) continue
      expect(Math.abs(time - moment)).toBeLessThanOrEqual(halfMs + 1e-6)
      shown += 1
    }
    // A step is passed over only where the next one comes within the same frame.
    const frames = moments.map((moment) =>
      Math.floor((moment * rate.numerator) / (1000 * rate.denominator) + 0.5),
    )
    expect(shown).toBe(frames.filter((frame, at) => at > 0 && frame !== frames[at + 1]).length)
    const { frames: count, frameRate } = await inspectVideo(path)
    expect(frameRate).toEqual(rate)
    expect(Math.abs(secondsOf(count!, rate) * 1000 - (moments.at(-1)! + 500))).toBeLessThanOrEqual(
      halfMs + 1e-6,
    )
  })

  it('as WebP is exact to the millisecond, and as GIF to 10 ms', async () => {
    const out = await temporaryFolder()
    const [timing] = await writeShow(out, [
      { name: 'wide', stepsMs: TWENTY.map((ms) => ms + 20), finalMs: 70 },
    ])
    const moments = momentsMs(timing!)
    const {
      paths: [webp],
    } = await film(out, { format: 'webp' })
    const seen = await sharp(join(out, webp!), { animated: true }).metadata()
    expect(seen).toMatchObject({ pages: 21, pageHeight: SIZE.height, width: SIZE.width, loop: 0 })
    // The first picture stays until the second comes; the last is held.
    const expected = [moments[1]!, ...moments.slice(2).map((moment, at) => moment - moments[at + 1]!), 500]
    expect(seen.delay).toEqual(expected)
    const {
      paths: [gif],
    } = await film(out, { format: 'gif' })
    const { delay = [] } = await sharp(join(out, gif!), { animated: true }).metadata()
    let sum = 0
    for (const [at, ms] of delay.entries()) {
      sum += ms
      expect(Math.abs(sum - (at === 20 ? moments[20]! + 500 : moments[at + 1]!))).toBeLessThanOrEqual(5)
    }
  })

  it('as ffconcat names its pictures with durations exact to the millisecond, and FFmpeg sees them so', async () => {
    const out = await temporaryFolder()
    const [timing] = await writeShow(out, [
      { name: "rain's end", cue: 'dämmerung', stepsMs: TWENTY, finalMs: 70 },
    ])
    const moments = momentsMs(timing!)
    const { paths } = await film(out, { format: 'ffconcat' })
    expect(paths).toEqual(["films/v1/dämmerung/rain's end.ffconcat"])
    const path = join(out, paths[0]!)
    const text = await readFile(path, 'utf8')
    const durations = [...text.matchAll(/^duration (.*)$/gm)].map(([, value]) =>
      Math.round(Number(value) * 1000),
    )
    const cuts = [0, ...moments.slice(1), moments.at(-1)! + 500]
    expect(durations).toEqual(
      cuts
        .slice(1)
        .map((cut, at) => cut - cuts[at]!)
        .filter((ms) => ms > 0),
    )
    expect(text.match(/^file /gm)).toHaveLength(durations.length + 1)
    const { stdout, stderr } = spawnSync(
      'ffprobe',
      ['-v', 'error', '-safe', '0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', path],
      { encoding: 'utf8', cwd: dirname(path) },
    )
    expect(stderr).toBe('')
    const times = stdout
      .trim()
      .split('\n')
      .map((line) => Math.round(Number.parseFloat(line) * 1000))
    expect(times).toEqual(cuts)
  })

  it.each(['webp', 'gif', 'ffconcat', 'mp4'] as const)(
    'has the same bytes each time as %s',
    async (format) => {
      const out = await temporaryFolder()
      await writeShow(out, [{ name: 'wide', stepsMs: TWENTY, finalMs: 70 }])
      const hash = async () => {
        const { paths } = await film(out, { format })
        return createHash('sha256')
          .update(await readFile(join(out, paths[0]!)))
          .digest('hex')
      }
      expect(await hash()).toBe(await hash())
    },
  )
})

describe('pace, hold and fade', () => {
  const SHOW = [{ name: 'wide', stepsMs: [100, 300, 200], finalMs: 400 }]
  const delays = async (options: Partial<FilmTreeOptions>) => {
    const out = await temporaryFolder()
    await writeShow(out, SHOW)
    const { paths } = await film(out, { format: 'webp', ...options })
    return (await sharp(join(out, paths[0]!), { animated: true }).metadata()).delay
  }

  it('keeps the true pace, evens it, or goes so many times as fast', async () => {
    expect(await delays({ pace: 'true' })).toEqual([400, 200, 400, 500])
    expect(await delays({ pace: 'even' })).toEqual([333, 334, 333, 500])
    expect(await delays({ pace: 4, holdMs: 2000 })).toEqual([100, 50, 100, 2000])
  })

  it('fades from step to step, and is at the new one before the next comes', async () => {
    const out = await temporaryFolder()
    await writeShow(out, SHOW)
    const { paths } = await film(out, { fadeMs: 100, frameRate: parseFrameRate(50) })
    const levels: number[] = []
    for await (const { rgb } of readVideo(join(out, paths[0]!))) levels.push(rgb[0]!)
    const near = (frame: number, level: number) =>
      expect(Math.abs(levels[frame]! - level)).toBeLessThanOrEqual(2)
    near(0, levelOf(1))
    near(19, levelOf(1))
    near(22, (levelOf(1) + levelOf(2)) / 2)
    near(25, levelOf(2))
    near(29, levelOf(2))
    near(levels.length - 1, levelOf(4))
  })

  it('knows steps of which only some have a picture', async () => {
    const out = await temporaryFolder()
    await writeShow(out, [{ name: 'wide', stepsMs: [100, 100, 100, 100, 100], finalMs: 50, every: 2 }])
    const { paths } = await film(out, { format: 'webp' })
    const { delay } = await sharp(join(out, paths[0]!), { animated: true }).metadata()
    expect(delay).toEqual([400, 100, 50, 500])
  })
})

describe('several films', () => {
  const SHOW = [
    { name: 'wide', stepsMs: [100, 100], finalMs: 100 },
    { name: 'close', stepsMs: [200, 300], finalMs: 100 },
    { name: 'none', stepsMs: [], finalMs: 0 },
    { name: 'wide', cue: 'dusk', stepsMs: [40], finalMs: 40 },
  ]

  it('are one for each variant with step pictures, or those that are asked for', async () => {
    const out = await temporaryFolder()
    await writeShow(out, SHOW)
    expect(await film(out, { format: 'gif' })).toEqual({
      films: 3,
      failed: 0,
      paths: ['films/v1/dawn/wide.gif', 'films/v1/dawn/close.gif', 'films/v1/dusk/wide.gif'],
      passed: ['dawn/none'],
      faults: [],
    })
    const { paths } = await film(out, { format: 'gif', selection: { cue: 'dusk' } })
    expect(paths).toEqual(['films/v1/dusk/wide.gif'])
    await expect(film(out, { selection: { cue: 'noon' } })).rejects.toMatchObject({
      code: 'E_NOTHING_SELECTED',
    })
    await expect(film(out, { selection: { variant: 'none' } })).rejects.toMatchObject({
      code: 'E_NOTHING_TO_SHOW',
    })
  })

  it('are one a cue as a grid', async () => {
    const out = await temporaryFolder()
    await writeShow(out, SHOW)
    const { paths } = await film(out, { isGrid: true, frameRate: parseFrameRate(10), holdMs: 300 })
    expect(paths).toEqual(['films/v1/dawn.mp4', 'films/v1/dusk.mp4'])
    const path = join(out, paths[0]!)
    expect(await inspectVideo(path)).toMatchObject({ width: 96, height: 32, frames: 9 })
    const seen: string[] = []
    for await (const { rgb } of readVideo(path)) {
      seen.push([rgb[0]!, rgb[3 * 60]!].map((level) => Math.round((level - 10) / 10)).join(' '))
    }
    expect(seen).toEqual(['1 1', '1 1', '2 1', '3 1', '3 1', '3 2', '3 3', '3 3', '3 3'])
    await expect(film(out, { isGrid: true, format: 'ffconcat' })).rejects.toMatchObject({
      code: 'E_FILM_FORMAT',
    })
    await expect(film(out, { fadeMs: 9, format: 'ffconcat' })).rejects.toMatchObject({
      code: 'E_FILM_FORMAT',
    })
  })

  it('go on after one that cannot be made', async () => {
    const out = await temporaryFolder()
    await writeShow(out, SHOW)
    const elsewhere = await temporaryFolder()
    await mkdir(join(out, 'films/v1'), { recursive: true })
    await symlink(elsewhere, join(out, 'films/v1/dawn'))
    const { films, failed, faults } = await film(out, { format: 'webp' })
    expect({ films, failed }).toEqual({ films: 1, failed: 2 })
    expect(faults).toEqual(['dawn/wide E_OUTPUT_SYMLINK', 'dawn/close E_OUTPUT_SYMLINK'])
    expect(await readdir(elsewhere)).toEqual([])
  })

  it.each([
    ['of fewer', { '1': 40, final: 20 }, '2.png is there, though timing.json tells of 1 step'],
    [
      'of more',
      { '1': 40, '2': 60, '3': 5, final: 20 },
      '3.png is missing, though timing.json tells of 3 steps',
    ],
  ])('are not made of times %s steps than there are pictures', async (_, stepDurations, said) => {
    const out = await temporaryFolder()
    await writeShow(out, [{ name: 'wide', stepsMs: [40, 60], finalMs: 20 }])
    const folder = join(out, 'foigoi/v1/cues/dawn/wide')
    await writeFile(join(folder, 'timing.json'), JSON.stringify({ stepDurations }))
    await expect(readVariantPictures(confine(out), folder)).rejects.toMatchObject({
      code: 'E_FILE_CHANGED',
      message: `${folder}/${said}`,
    })
  })

  it.each([
    [1, [2], '2.png'],
    [1, [1], '1.png'],
    [2, [4], '4.png'],
    [2, [5], '5.png'],
    [1, [1, 2, 3, 4, 5], '1.png'],
  ])('are not made where of every %i of 5 steps %j is gone', async (every, gone, missing) => {
    const out = await temporaryFolder()
    await writeShow(out, [{ name: 'wide', stepsMs: [1, 2, 3, 4, 5], finalMs: 20, every }])
    const folder = join(out, 'foigoi/v1/cues/dawn/wide')
    const whole = await readVariantPictures(confine(out), folder)
    expect(whole?.steps).toEqual(every === 1 ? [1, 2, 3, 4, 5] : [2, 4, 5])
    for (const step of gone) await rm(join(folder, `${step}.png`))
    await expect(readVariantPictures(confine(out), folder)).rejects.toThrow(`${missing} is missing`)
  })

  it('of more than a day are refused, with a pace that helps', async () => {
    const out = await temporaryFolder()
    await writeShow(out, [{ name: 'wide', stepsMs: [90_000_000], finalMs: 0 }])
    const told: unknown[] = []
    const failed = (_: string, __: string | null, error: unknown) => told.push(error)
    await film(out, { format: 'webp', on: { film: () => told.push('film'), passed: () => {}, failed } })
    expect(told).toEqual([
      expect.objectContaining({ code: 'E_FILM_TOO_LONG', help: expect.stringContaining('such as 100,') }),
    ])
  })

  it.each(['webp', 'gif'] as const)('as %s let a picture stay for minutes', async (format) => {
    const out = await temporaryFolder()
    await writeShow(out, [{ name: 'wide', stepsMs: [90, 70_000], finalMs: 0 }])
    const { paths } = await film(out, { format, holdMs: 600_000 })
    const { delay = [] } = await sharp(join(out, paths[0]!), { animated: true }).metadata()
    expect(delay.reduce((sum, ms) => sum + ms, 0)).toBe(90 + 70_000 + 600_000)
  })

  it('as frames leave none when they are given up, neither of this film nor of one before', async () => {
    const out = await temporaryFolder()
    await writeShow(out, [{ name: 'wide', stepsMs: [100, 200], finalMs: 20 }])
    const folder = join(out, 'films/v1/dawn/wide')
    await film(out, { format: 'frames' })
    expect(await readdir(folder)).toContain('frames.json')
    const pictures = await readVariantPictures(confine(out), join(out, 'foigoi/v1/cues/dawn/wide'))
    const leaving = new AbortController()
    const read: ReadPicture = async (picture) => {
      if (picture === 2) leaving.abort()
      return await pictures!.read(picture)
    }
    const made = writeFilm({
      ...{ format: 'frames', pace: 'true', holdMs: 500, fadeMs: 0, frameRate: parseFrameRate(30) },
      ...{ variants: [{ ...pictures!, read }], root: out, path: folder, signal: leaving.signal },
    })
    await expect(made).rejects.toMatchObject({ name: 'AbortError' })
    expect(await readdir(dirname(folder))).toEqual([])
  })

  it('tell of a folder in their way', async () => {
    const out = await temporaryFolder()
    await writeShow(out, [{ name: 'wide', stepsMs: [100], finalMs: 20 }])
    await mkdir(join(out, 'films/v1/dawn/wide.webp'), { recursive: true })
    expect((await film(out, { format: 'webp' })).faults).toEqual(['dawn/wide E_OUTPUT_KIND'])
  })

  it('go where they are sent, and leave nothing but themselves', async () => {
    const out = await temporaryFolder()
    await writeShow(out, SHOW)
    const to = join(await temporaryFolder(), 'a/b')
    const formats: FilmFormat[] = ['mp4', 'webm', 'webp', 'gif', 'prores']
    for (const format of formats) await film(out, { format, to, selection: { cue: 'dusk' } })
    expect((await readdir(join(to, 'v1/dusk'))).sort()).toEqual([
      'wide.gif',
      'wide.mov',
      'wide.mp4',
      'wide.webm',
      'wide.webp',
    ])
    expect(await readdir(out)).toEqual(['foigoi'])
  })

  it('as frames are numbered from 0, with their rate, and none of a longer film are left', async () => {
    const out = await temporaryFolder()
    await writeShow(out, SHOW)
    const options = { format: 'frames', selection: { cue: 'dusk' }, frameRate: parseFrameRate(25) } as const
    await film(out, { ...options, holdMs: 1000 })
    const { paths } = await film(out, { ...options, holdMs: 120 })
    expect(paths).toEqual(['films/v1/dusk/wide'])
    const folder = join(out, paths[0]!)
    expect((await readdir(folder)).sort()).toEqual([
      'frames.json',
      ...Array.from({ length: 5 }, (_, at) => `wide_0000${at}.png`),
    ])
    expect(JSON.parse(await readFile(join(folder, 'frames.json'), 'utf8'))).toEqual({
      fps: '25',
      frames: 5,
      ...SIZE,
      pattern: 'wide_%05d.png',
    })
    const levelAt = async (at: number) =>
      (
        await sharp(join(folder, `wide_0000${at}.png`))
          .raw()
          .toBuffer()
      )[0]
    expect([await levelAt(0), await levelAt(1), await levelAt(2), await levelAt(4)]).toEqual(
      [1, 1, 2, 2].map(levelOf),
    )
  })
})
