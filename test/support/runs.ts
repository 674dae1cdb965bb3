/** Real runs for tests: sheets on tiny models, the command line on them, and what a tree must look like after. */
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { expect } from 'vitest'
import { inspectFiles } from '../../src/artifacts/file-state.ts'
import { readLedger } from '../../src/artifacts/ledger.ts'
import { isTemporaryName } from '../../src/artifacts/temporary-name.ts'
import { parseTiming, timingSteps } from '../../src/artifacts/timing.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { type CliOptions, type CliResult, packageRoot, parseEvents, runCli } from './cli.ts'

const fixtures = join(packageRoot, 'test/fixtures')

/** Stable Diffusion 1.5 with random weights, 4 latent channels, any size; with a random preview decoder. */
export const TINY_SD15 = {
  path: join(fixtures, 'oracle/models/sd15-tiny'),
  preview_decoder: join(fixtures, 'preview/preview_decoder'),
}

/** Stable Diffusion 3 with random weights, up to 64 × 64. */
export const TINY_SD3 = { path: join(fixtures, 'oracle/models/sd3-tiny') }

export const DEFAULTS = { model: 'tiny', width: 64, height: 64, steps: 3, guidance_scale: 3 }

/** A sheet as an object; JSON is YAML. */
export type Sheet = Readonly<Record<string, unknown>>

/** A sheet on the tiny model. */
export function tinySheet(rest: Sheet): Sheet {
  return { version: 'v1', models: { tiny: TINY_SD15 }, defaults: DEFAULTS, ...rest }
}

export async function writeSheet(folder: string, sheet: Sheet, name = 'sheet.yaml'): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(sheet, null, 2))
  return path
}

/** Keys and secret that must never show; the store of the tests takes any. */
export const BUCKET_ENV = {
  AWS_ACCESS_KEY_ID: 'test-key-id',
  AWS_SECRET_ACCESS_KEY: 'test-secret-access-key',
  AWS_REGION: 'us-east-1',
  // The store of the tests runs on this machine, and their sheets name it.
  PREGEN_ALLOW_LOCAL_ENDPOINT: '1',
}

export interface RunResult extends CliResult {
  readonly events: readonly RunEvent[]
  /** As a shell tells it: 128 + the signal's number where a signal ended the process. */
  readonly status: number
}

/** `pregen run sheet --out out --format ndjson …args`. */
export async function runSheet(
  sheet: string,
  out: string,
  args: readonly string[] = [],
  options: CliOptions = {},
): Promise<RunResult> {
  // One thread: more would only spin on machines whose cores are busy with other tests.
  const fixed = ['--format', 'ndjson', '--provider', 'cpu', '--threads', '1']
  const all = ['run', sheet, '--out', out, ...fixed, ...args]
  const result = await runCli(all, options)
  return { ...result, status: statusOf(result), events: wholeEvents(result.stdout) }
}

/** A killed process may leave half a line. */
function wholeEvents(stdout: string): RunEvent[] {
  return parseEvents(stdout.slice(0, stdout.lastIndexOf('\n') + 1))
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

export function statusOf({ code, signal }: Pick<CliResult, 'code' | 'signal'>): number {
  return code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0)
}

/** Runs that must end well. */
export async function runWhole(...args: Parameters<typeof runSheet>): Promise<RunResult> {
  const result = await runSheet(...args)
  expect([result.status, result.stderr]).toEqual([0, ''])
  return result
}

/** Events of one type, as `cue/variant`. */
export function unitsOf(events: readonly RunEvent[], type: RunEvent['type']): string[] {
  return events.flatMap((event) =>
    event.type === type && 'cue' in event ? [`${event.cue}/${event.variant}`] : [],
  )
}

/** Every file below a folder, by its path below it, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

/** sha-256 of every picture of a tree, by path: all that a seed decides. Times are not in it. */
export async function pictureHashes(out: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  for (const path of await filesBelow(out)) {
    if (!/\.(png|webp)$/.test(path) || path.startsWith('.pregen')) continue
    const bytes = await readFile(join(out, path))
    hashes.set(path, createHash('sha256').update(bytes).digest('hex'))
  }
  return hashes
}

/** At any moment, in any state: a marker that stands promises every picture that it names. */
export async function expectMarkersTrue(out: string): Promise<void> {
  const files = await filesBelow(out)
  for (const path of files.filter((file) => basename(file) === 'timing.json')) {
    const folder = dirname(path)
    const steps = timingSteps(parseTiming(await readFile(join(out, path), 'utf8'), path))
    for (let step = 1; step <= steps; step++) expect(files).toContain(join(folder, `${step}.png`))
    expect(files).toContain(join(folder, 'final.png'))
  }
}

/** After a run: nothing half-written, no live picture, no lock, no scratch file; its log stays. */
export async function expectNoLeftovers(out: string): Promise<void> {
  const files = await filesBelow(out)
  expect(files.filter((path) => isTemporaryName(basename(path)))).toEqual([])
  const state = files.filter((path) => path.startsWith('.pregen/'))
  expect(
    state.filter(
      (path) =>
        !/^\.pregen\/(ledger\.ndjson|storage\.json|runs\/[^/]+\/(events\.ndjson|run\.json))$/.test(path),
    ),
  ).toEqual([])
}

/** Units, as `cue/variant`, that the ledger calls complete and whose files all stand as recorded. */
export async function finishedUnits(out: string): Promise<string[]> {
  const { units } = await readLedger(join(out, '.pregen/ledger.ndjson'))
  const finished: string[] = []
  for (const [key, unit] of units) {
    const states = await inspectFiles(join(out, key), unit.files)
    if (unit.complete !== false && states.every(({ fault }) => fault === null)) {
      finished.push(key.split('/').slice(-2).join('/'))
    }
  }
  return finished
}
