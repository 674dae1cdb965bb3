/** The main job on the real command line: a sheet goes in, a tree comes out, exactly as the contract says. */
import { cp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { EVENT_FIELDS, type RunEvent } from '../../src/run/events.ts'
import { eventOf, packageRoot, runCli } from '../support/cli.ts'
import {
  DEFAULTS,
  expectNoLeftovers,
  filesBelow,
  pictureHashes,
  type RunResult,
  runWhole,
  TINY_SD3,
  TINY_SD15,
  unitsOf,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()

const SHEET = {
  version: 'opening',
  models: { tiny: TINY_SD15, sd3: TINY_SD3 },
  defaults: DEFAULTS,
  programs: {
    P0: {},
    P1: { previews: { method: 'latent2rgb', size: 'image' } },
    P2: { extends: 'P1', previews: { method: 'taesd' }, scheduler: 'euler', thumbnail: true },
    P3: { extends: 'P1', image: 'stage.png', denoise_strength: 0.7 },
    P4: { steps: 5, prompt_template: '{prompt}, {light}', previews: { method: 'latent2rgb', every: 2 } },
    P5: { model: 'sd3', guidance_scale: 3, max_sequence_length: 77 },
  },
  cues: {
    storm: { program: 'P0', prompt: 'sea at night', seeds: [1, 2] },
    dawn: {
      program: 'P1',
      prompt: 'misty mountains',
      variants: { wide: { seed: 7, width: 96 }, close: { seed: 8, prompt: 'one mountain' } },
    },
    dunes: { program: 'P2', prompt: 'dunes', seeds: [4] },
    stage: { program: 'P3', prompt: 'snow', seeds: [11] },
    forest: { program: 'P4', prompt: 'a forest', matrix: { light: ['sunlit', 'moonlit'], seed: [5] } },
    city: { program: 'P5', prompt: 'a city', seeds: [3] },
  },
}

const steps = (count: number) => Array.from({ length: count }, (_, i) => `${i + 1}.png`)

/** Every variant and its files, in the order of the sheet. */
const TREE: Readonly<Record<string, readonly string[]>> = {
  'storm/seed-1': ['final.png'],
  'storm/seed-2': ['final.png'],
  'dawn/wide': [...steps(3), 'final.png', 'timing.json'],
  'dawn/close': [...steps(3), 'final.png', 'timing.json'],
  'dunes/seed-4': [...steps(3), 'final.png', 'final.thumb.webp', 'timing.json'],
  // Of three steps asked for, image-to-image at 0.7 executes two.
  'stage/seed-11': [...steps(2), 'final.png', 'timing.json'],
  'forest/sunlit-5': ['2.png', '4.png', '5.png', 'final.png', 'timing.json'],
  'forest/moonlit-5': ['2.png', '4.png', '5.png', 'final.png', 'timing.json'],
  'city/seed-3': [...steps(3), 'final.png', 'timing.json'],
}
const EXECUTED: Readonly<Record<string, number>> = {
  'stage/seed-11': 2,
  'forest/sunlit-5': 5,
  'forest/moonlit-5': 5,
}
const executedSteps = (unit: string) => EXECUTED[unit] ?? 3

const PROGRAMS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(SHEET.cues).map(([cue, { program }]) => [cue, program]),
)
/** Of units that are not named after theirs. */
const SEEDS: Readonly<Record<string, string>> = { 'dawn/wide': '7', 'dawn/close': '8' }

let sheet: string
let out: string
let first: RunResult

beforeAll(async () => {
  await cp(join(packageRoot, 'test/fixtures/oracle/inputs/a_64x64.png'), join(scratch.folder, 'stage.png'))
  const programs = { ...SHEET.programs, P5: { ...SHEET.programs.P5, previews: { method: 'full' } } }
  sheet = await writeSheet(scratch.folder, { ...SHEET, programs })
  out = join(scratch.folder, 'out')
  first = await runWhole(sheet, out, ['--dry-run', '--live-file'])
}, 600_000)

describe('the tree', () => {
  it('holds exactly what the contract names', async () => {
    const expected = Object.entries(TREE).flatMap(([unit, names]) =>
      names.map((name) => `foigoi/opening/cues/${unit}/${name}`),
    )
    const published = (await filesBelow(out)).filter((path) => !path.startsWith('.pregen/'))
    expect(published).toEqual([...expected, 'foigoi/opening/manifest.json'].sort())
    await expectNoLeftovers(out)
  })

  it('tells each step in whole milliseconds, and nothing else', async () => {
    for (const [unit, names] of Object.entries(TREE)) {
      if (!names.includes('timing.json')) continue
      const text = await readFile(join(out, 'foigoi/opening/cues', unit, 'timing.json'), 'utf8')
      expect(text.trimEnd()).toMatch(/^\{"stepDurations":\{("\d+":\d+,)+"final":\d+\}\}$/)
      const { stepDurations } = JSON.parse(text)
      const keys = Array.from({ length: executedSteps(unit) }, (_, i) => String(i + 1))
      expect(Object.keys(stepDurations)).toEqual([...keys, 'final'])
      // The first step includes its prompt's encoding, which takes time on any machine.
      expect(stepDurations['1']).toBeGreaterThan(0)
    }
  })

  it('is listed in a manifest that says how each picture was made', async () => {
    const path = join(out, 'foigoi/opening/manifest.json')
    const { assets } = parseManifest(await readFile(path, 'utf8'), path)
    expect(assets.map(({ cue, variant }) => `${cue}/${variant}`)).toEqual(Object.keys(TREE))
    const stage = assets.find(({ cue }) => cue === 'stage')
    expect(stage).toMatchObject({
      url: 'cues/stage/seed-11/final.png',
      thumbnail_url: null,
      metadata: { steps: 3, steps_executed: 2, denoise_strength: 0.7, reference_mode: 'img2img', seed: '11' },
    })
    const dunes = assets.find(({ cue }) => cue === 'dunes')
    expect(dunes?.thumbnail_url).toBe('cues/dunes/seed-4/final.thumb.webp')
    const hashes = await pictureHashes(out)
    for (const { cue, variant, url, metadata } of assets) {
      expect([url, hashes.get(`foigoi/opening/${url}`)]).toEqual([url, metadata.sha256])
      expect([cue, metadata.width, metadata.height]).toEqual([cue, variant === 'wide' ? 96 : 64, 64])
    }
  })
})

describe('the events', () => {
  const KEYS: Readonly<Record<RunEvent['type'], readonly string[] | null>> = {
    'run-planned': ['units', 'skipped', 'shard', 'steps', 'version', 'prefix', 'out', 'plan'],
    'model-loaded': ['model', 'provider', 'device', 'prompts', 'durationMs'],
    'unit-started': ['cue', 'variant', 'program', 'seed', 'steps', 'device'],
    step: ['cue', 'variant', 'step', 'steps', 'durationMs', 'device'],
    preview: ['cue', 'variant', 'step', 'path', 'animation'],
    'unit-finished': ['cue', 'variant', 'files', 'durationMs'],
    'run-finished': [
      ...[
        'done',
        'skipped',
        'failed',
        'left',
        'cancelled',
        'drained',
        'uploaded',
        'uploadsFailed',
        'filmsFailed',
        'wallMs',
      ],
      ...['sessionRunMs', 'modelLoadMs', 'peakRssBytes', 'provider', 'version', 'folder'],
    ],
    // What must not come in a run that goes well.
    'film-made': null,
    'film-failed': null,
    frame: null,
    'preview-failed': null,
    'unit-failed': null,
    // A machine without a GPU asks for the CPU here.
    'provider-chosen': null,
    'device-warmed': null,
    'batch-chosen': null,
    'unit-skipped': null,
    'unit-restarted': null,
    'uploads-expected': null,
    'object-uploaded': null,
    'upload-failed': null,
    warning: null,
  }

  it('have a type, a run, a number without gaps, a time and their own keys, one JSON object a line', () => {
    expect(first.stdout.split('\n').length).toBe(first.events.length + 1)
    for (const event of first.events) {
      const { type, run, seq, time, ...rest } = event
      expect(run).toMatch(/^\d{8}-\d{6}-[0-9a-f]{4}$/)
      expect(seq).toBe(first.events.indexOf(event) + 1)
      expect([type, Object.keys(rest).sort()]).toEqual([type, [...(KEYS[type] ?? ['never'])].sort()])
      expect(new Date(time).toISOString()).toBe(time)
      expect(() => EVENT_FIELDS[type].strict().parse(rest)).not.toThrow()
    }
  })

  it('say what is true of this run', () => {
    const { events } = first
    const of = <T extends RunEvent['type']>(type: T) =>
      events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type)
    for (const { cue, variant, program, seed, steps } of of('unit-started')) {
      const unit = `${cue}/${variant}`
      expect([unit, program]).toEqual([unit, PROGRAMS[cue]])
      expect([unit, seed]).toEqual([unit, SEEDS[unit] ?? unit.slice(unit.lastIndexOf('-') + 1)])
      expect([unit, steps]).toEqual([unit, executedSteps(unit)])
    }
    for (const { cue, variant, step, path } of of('preview')) {
      expect(path).toBe(join(out, 'foigoi/opening/cues', cue, variant, `${step}.png`))
    }
    const loaded = of('model-loaded')
    expect(loaded.map(({ model, provider, device }) => [model, provider, device])).toEqual([
      ['tiny', 'cpu', 'cpu:0'],
      ['sd3', 'cpu', 'cpu:0'],
    ])
    // Each tells its own time: together they are the run's.
    const end = eventOf(events, 'run-finished')
    const loadMs = loaded.reduce((sum, { durationMs }) => sum + durationMs, 0)
    expect(Math.abs(loadMs - end.modelLoadMs)).toBeLessThanOrEqual(loaded.length)
    for (const { durationMs } of loaded) expect(durationMs).toBeGreaterThan(0)
    expect(end).toMatchObject({
      skipped: 0,
      cancelled: false,
      drained: false,
      uploaded: 0,
      uploadsFailed: 0,
      folder: join(out, 'foigoi/opening'),
    })
  })

  it('come in the order of the work', () => {
    const { events } = first
    expect(events[0]).toMatchObject({ type: 'run-planned', units: 9, skipped: 0, shard: null })
    expect(events.at(-1)).toMatchObject({
      type: 'run-finished',
      done: 9,
      failed: 0,
      left: 0,
      provider: 'cpu',
    })
    // A model is loaded once.
    expect(events.filter(({ type }) => type === 'model-loaded').length).toBe(2)
    expect(unitsOf(events, 'unit-started')).toEqual(Object.keys(TREE))
    for (const [unit, names] of Object.entries(TREE)) {
      const own = events.filter((event) => 'cue' in event && `${event.cue}/${event.variant}` === unit)
      const told = (type: string) => own.filter((event) => event.type === type)
      expect(own[0]?.type).toBe('unit-started')
      expect(own.at(-1)?.type).toBe('unit-finished')
      expect(told('step').map((event) => ('step' in event ? event.step : 0))).toEqual(
        Array.from({ length: executedSteps(unit) }, (_, i) => i + 1),
      )
      expect(told('preview').length).toBe(names.filter((name) => /^\d+\.png$/.test(name)).length)
      const { files } = eventOf(own, 'unit-finished')
      expect(files).toEqual(names.map((name) => join(out, 'foigoi/opening/cues', unit, name)))
    }
    const end = eventOf(events, 'run-finished')
    expect(end.sessionRunMs).toBeGreaterThan(0)
    expect(end.wallMs).toBeGreaterThanOrEqual(end.modelLoadMs)
  })
})

describe('the same sheet again', () => {
  it('gives the same pictures in another folder, and another seed gives another', async () => {
    const again = join(scratch.folder, 'again')
    await runWhole(sheet, again, ['--dry-run'])
    const pictures = await pictureHashes(out)
    expect(await pictureHashes(again)).toEqual(pictures)
    const finals = [...pictures].filter(([path]) => path.endsWith('/final.png')).map(([, hash]) => hash)
    expect(new Set(finals).size).toBe(Object.keys(TREE).length)
  }, 600_000)

  it('runs exactly what was asked for, and no bucket or network is touched', async () => {
    const chosen = join(scratch.folder, 'chosen')
    // A preloaded hook sees every socket and look-up of the process and its threads.
    const hook = join(scratch.folder, 'no-network.cjs')
    await writeFile(
      hook,
      `const net = require('node:net'), dns = require('node:dns')
       const tell = (what) => process.stderr.write('network: ' + what + '\\n')
       net.Socket.prototype.connect = () => { tell('connect'); throw new Error('network') }
       for (const name of ['lookup', 'resolve']) dns[name] = () => { tell(name); throw new Error('network') }`,
    )
    const withBucket = await writeSheet(
      scratch.folder,
      { ...SHEET, storage: { bucket: 'show', endpoint: 'https://bucket.example' } },
      'bucket.yaml',
    )
    const { events } = await runWhole(
      withBucket,
      chosen,
      ['--dry-run', '--cue', 'd*', '--variant', '*e', '--version-id', 'second'],
      { env: { NODE_OPTIONS: `--require ${hook}` } },
    )
    expect(unitsOf(events, 'unit-finished').sort()).toEqual(['dawn/close', 'dawn/wide'])
    expect((await filesBelow(chosen)).every((path) => /^(foigoi\/second\/|\.pregen\/)/.test(path))).toBe(true)
  }, 600_000)
})

describe('pregen plan', () => {
  const reasonsOf = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(['plan', ...args, '--out', out, '--json'])
    expect([code, stderr]).toEqual([0, ''])
    const { units }: { units: { cue: string; variant: string; action: string; reason: string }[] } =
      JSON.parse(stdout)
    return Object.fromEntries(units.map((unit) => [`${unit.cue}/${unit.variant}`, unit.reason]))
  }

  it('tells why each unit would run, and writes nothing', async () => {
    const folder = join(out, 'foigoi/opening/cues')
    expect(new Set(Object.values(await reasonsOf(sheet)))).toEqual(new Set(['complete']))
    expect(new Set(Object.values(await reasonsOf(sheet, '--force')))).toEqual(new Set(['forced']))

    await rm(join(folder, 'forest/sunlit-5/2.png'))
    const altered = join(folder, 'storm/seed-2/final.png')
    const bytes = await readFile(altered)
    await writeFile(altered, Buffer.from(bytes).fill(0, 60, 61))
    await utimes(join(folder, 'storm/seed-1/final.png'), new Date(0), new Date(0))
    const { cues, programs } = SHEET
    const changed = await writeSheet(
      scratch.folder,
      {
        ...SHEET,
        programs: { ...programs, P5: { ...programs.P5, model: 'tiny', previews: { method: 'full' } } },
        cues: {
          ...cues,
          dawn: {
            ...cues.dawn,
            variants: { wide: { ...cues.dawn.variants.wide, steps: 4 }, close: { seed: 8, prompt: 'two' } },
          },
          dunes: { ...cues.dunes, seeds: [4, 6] },
          stage: { ...cues.stage, denoise_strength: 0.9 },
        },
      },
      'changed.yaml',
    )
    const before = await filesBelow(out)
    expect(await reasonsOf(changed)).toEqual({
      'storm/seed-1': 'complete',
      'storm/seed-2': 'final.png altered',
      'dawn/wide': 'steps changed',
      'dawn/close': 'prompt changed',
      'dunes/seed-4': 'complete',
      'dunes/seed-6': 'new',
      'stage/seed-11': 'denoise strength changed',
      'forest/sunlit-5': '2.png missing',
      'forest/moonlit-5': 'complete',
      'city/seed-3': 'model changed',
    })
    expect(await filesBelow(out)).toEqual(before)

    const { events } = await runWhole(sheet, out, ['--dry-run'])
    expect(unitsOf(events, 'unit-finished').sort()).toEqual(['forest/sunlit-5', 'storm/seed-2'])
    // What was only touched has been looked at once, and is trusted again.
    const ledger = await readFile(join(out, '.pregen/ledger.ndjson'), 'utf8')
    expect(ledger).toContain('"mtimeMs":0')
  }, 600_000)
})
