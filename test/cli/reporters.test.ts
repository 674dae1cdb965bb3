import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createReporter } from '../../src/cli/reporters/create.ts'
import { describeEnd } from '../../src/cli/reporters/describe.ts'
import type { ReportFormat } from '../../src/cli/reporters/reporter.ts'
import type { RunEvent, RunEventBody } from '../../src/run/events.ts'

const stamp = { run: '20260301-200000-0000', time: '2026-03-01T20:00:00.000Z' }
const unit = { cue: 'dawn', variant: 'wide' }

const planned: RunEventBody = {
  type: 'run-planned',
  units: 3,
  skipped: 1,
  shard: '1/2',
  steps: 40,
  version: 'opening-night',
  out: '/out',
  prefix: 'foigoi/v',
  plan: [
    { ...unit, program: 'P1', steps: 20, action: 'run' },
    { cue: 'dawn', variant: 'close', program: 'P1', steps: 20, action: 'run' },
    { cue: 'dawn', variant: 'far', program: 'P1', steps: 20, action: 'skip' },
  ],
}
const finished = {
  type: 'run-finished',
  done: 1,
  skipped: 1,
  failed: 1,
  left: 0,
  cancelled: false,
  drained: false,
  uploaded: 5,
  uploadsFailed: 1,
  filmsFailed: 0,
  wallMs: 65_000,
  sessionRunMs: 50_000,
  modelLoadMs: 1500,
  peakRssBytes: 812_000_000,
  provider: 'cpu',
  version: 'opening-night',
  folder: '/out/foigoi/opening-night',
} as const satisfies RunEventBody

const troubles: readonly RunEventBody[] = [
  { type: 'warning', code: 'W_EMPTY_PROMPT', message: 'dawn/wide has an empty prompt.' },
  { type: 'preview-failed', ...unit, step: 2, method: 'taesd', message: 'no memory' },
  {
    ...{ type: 'unit-failed', ...unit, variant: 'close', stage: 'vae decode', code: 'E_NUMERIC_FAULT' },
    ...{ message: 'it holds NaN.', help: 'Use an fp32 VAE.' },
  },
  { type: 'upload-failed', key: 'foigoi/v1/manifest.json', attempts: 1, message: 'no answer' },
]
const TROUBLE_LINES = [
  'warning  W_EMPTY_PROMPT  dawn/wide has an empty prompt.',
  'preview failed  dawn/wide step 2 (taesd): no memory',
  'failed  dawn/close: vae decode: it holds NaN. [E_NUMERIC_FAULT]',
  '  Use an fp32 VAE.',
  'upload failed  foigoi/v1/manifest.json after 1 attempt: no answer',
]
const END_LINES = [
  '1 done, 1 skipped, 1 failed, 5 uploaded, 1 not uploaded in 1 min 05 s',
  '50.00 s/step on cpu, model loaded in 1.5 s, peak memory 812 MB',
  '/out/foigoi/opening-night',
]

const course: readonly RunEventBody[] = [
  planned,
  { type: 'unit-skipped', cue: 'dawn', variant: 'far', reason: 'whole' },
  { type: 'model-loaded', model: 'backdrop', provider: 'cpu', device: 'cpu:0', prompts: 2, durationMs: 1500 },
  { type: 'unit-started', ...unit, program: 'P1', seed: '7', steps: 20, device: 'cpu:0' },
  { type: 'step', ...unit, step: 1, steps: 20, durationMs: 90, device: 'cpu:0' },
  { type: 'preview', ...unit, step: 1, path: '/out/1.png', animation: null },
  { type: 'unit-finished', ...unit, files: ['1.png', 'final.png'], durationMs: 2345 },
  ...troubles,
  { type: 'object-uploaded', key: 'final.png', sizeBytes: 9, attempts: 1 },
  finished,
]

/** What a face writes for events, on either stream. */
async function facesOf(
  format: ReportFormat,
  events: readonly RunEventBody[],
  { isTTY = false, ci = false } = {},
): Promise<{ stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' }
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 100 })
  stderr.on('data', (chunk) => {
    written.stderr += chunk
  })
  const stdout = { write: (text: string) => (written.stdout += text) }
  const reporter = await createReporter(format, { stdout, stderr }, ci)
  for (const [index, event] of events.entries()) reporter.onEvent({ ...event, ...stamp, seq: index + 1 })
  reporter.close()
  await new Promise((resolve) => stderr.end(resolve))
  return written
}

describe('the plain face', () => {
  it('has a line for each event that matters, and the summary, on stderr', async () => {
    const { stdout, stderr } = await facesOf('plain', course)
    expect(stdout).toBe('')
    expect(stderr.split('\n')).toEqual([
      'opening-night (shard 1/2): 3 units, 1 already whole, 40 steps to do',
      'backdrop loaded on cpu in 1.5 s',
      '[1/2] dawn/wide  2 files  2.3 s',
      ...TROUBLE_LINES,
      ...END_LINES,
      '',
    ])
  })
})

describe('the NDJSON face', () => {
  it('has every event as it is, one a line, on stdout', async () => {
    const { stdout, stderr } = await facesOf('ndjson', course)
    expect(stderr).toBe('')
    const events: RunEvent[] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events).toEqual(course.map((event, index) => ({ ...event, ...stamp, seq: index + 1 })))
  })
})

describe('the face with bars', () => {
  it('counts units, steps and uploads, and ends with the summary', async () => {
    const { stdout, stderr } = await facesOf('pretty', course, { isTTY: true })
    expect(stdout).toBe('')
    expect(stderr).toMatch(/units {3}[█░]+ 2\/2 backdrop on cpu/)
    expect(stderr).toMatch(/steps {3}[█░]+ 1\/40 dawn\/wide 1\/20/)
    expect(stderr).toMatch(/uploads [█░]+ 2\/2/)
    expect(stderr.endsWith(`${END_LINES.join('\n')}\n`)).toBe(true)
  })

  it('counts the objects of an upload, less those that are there already', async () => {
    const written: string[] = []
    const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 100 })
    stderr.on('data', (chunk) => written.push(String(chunk)))
    const reporter = await createReporter('pretty', { stdout: { write: () => true }, stderr }, false)
    const sent = { type: 'object-uploaded', sizeBytes: 9, attempts: 1 } as const
    reporter.onEvent({ type: 'uploads-expected', objects: 5, ...stamp, seq: 1 })
    reporter.onEvent({ ...sent, key: 'a', ...stamp, seq: 2 })
    reporter.onEvent({ type: 'uploads-expected', objects: -3, ...stamp, seq: 3 })
    reporter.onEvent({ ...sent, key: 'b', ...stamp, seq: 4 })
    reporter.close()
    await new Promise((resolve) => stderr.end(resolve))
    expect(written.join('')).toMatch(/uploads █+ 2\/2/)
  })

  it('loses no trouble, however late it comes', async () => {
    const { stderr } = await facesOf('pretty', [planned, ...troubles, finished], { isTTY: true })
    for (const line of TROUBLE_LINES) expect(stderr).toContain(line)
  })

  it('tells of troubles where it has no bars to draw', async () => {
    const whole = { ...planned, units: 1, skipped: 1 }
    for (const isTTY of [true, false]) {
      const { stderr } = await facesOf('pretty', [whole, ...troubles], { isTTY })
      for (const line of TROUBLE_LINES) expect(stderr).toContain(line)
    }
  })
})

describe('the face by itself', () => {
  it.each([
    { isTTY: true, ci: false, bars: true },
    { isTTY: true, ci: true, bars: false },
    { isTTY: false, ci: false, bars: false },
  ])('is bars on a terminal alone: $isTTY, in CI $ci', async ({ isTTY, ci, bars }) => {
    const { stderr } = await facesOf('auto', course, { isTTY, ci })
    expect(stderr.includes('█')).toBe(bars)
  })
})

describe('the summary', () => {
  it('says what a cancelled run left', () => {
    const [counts] = describeEnd(
      { ...finished, ...stamp, seq: 1, cancelled: true, left: 4, uploaded: 0, uploadsFailed: 0 },
      1,
    )
    expect(counts).toBe('cancelled: 1 done, 1 skipped, 1 failed, 4 left in 1 min 05 s')
  })

  it('says that there was nothing to do, or nothing but sending', () => {
    const idle = { ...finished, ...stamp, seq: 1, done: 0, failed: 0, uploadsFailed: 0 }
    expect(describeEnd({ ...idle, uploaded: 0 }, 0)[1]).toBe('nothing to do: everything is there and whole')
    expect(describeEnd({ ...idle, uploaded: 3 }, 0)[1]).toBe('nothing to generate')
  })
})
