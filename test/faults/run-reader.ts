/** Promise 2 at the level of the process: a reader that polls the published tree while runs write it. */
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseTiming, timingSteps } from '../../src/artifacts/timing.ts'
import { filesBelow, runWhole, tinySheet, writeSheet } from '../support/runs.ts'
import { isWholePng } from './reader.ts'

export interface RunReaderResult {
  /** Walks through the tree. */
  readonly looks: number
  /** Pictures read, again and again. */
  readonly pictures: number
  readonly markers: number
  /** What was wrong, by path. */
  readonly invalid: readonly string[]
}

/** Runs a sheet, and then all of it again by force, under the eyes of a reader. */
export async function readWhileRunning(folder: string, units: number): Promise<RunReaderResult> {
  const seeds = Array.from({ length: units }, (_, i) => i + 1)
  const sheet = await writeSheet(
    folder,
    tinySheet({
      programs: { P1: { previews: { method: 'latent2rgb', size: 'image' } } },
      cues: { dawn: { program: 'P1', prompt: 'misty mountains', seeds } },
    }),
  )
  const out = join(folder, 'out')
  let isRunning = true
  const runs = (async () => {
    await runWhole(sheet, out, ['--dry-run', '--live-file'])
    await runWhole(sheet, out, ['--dry-run', '--live-file', '--force'])
  })().finally(() => {
    isRunning = false
  })
  const seen = { looks: 0, pictures: 0, markers: 0, invalid: [] as string[] }
  while (isRunning) {
    await look(out, seen)
    await sleep(1)
  }
  await runs
  return seen
}

type Seen = { looks: number; pictures: number; markers: number; invalid: string[] }

async function look(out: string, seen: Seen): Promise<void> {
  // Before the run has made its folder there is nothing to walk through.
  const paths = await filesBelow(out).catch(() => [])
  if (paths.length > 0) seen.looks += 1
  for (const path of paths) {
    const name = basename(path)
    if (name.startsWith('.pregen-')) continue
    const bytes = await readIfThere(join(out, path))
    if (bytes === null) continue
    if (name.endsWith('.png')) {
      seen.pictures += 1
      if (!isWholePng(bytes)) seen.invalid.push(path)
    } else if (name === 'timing.json') {
      seen.markers += 1
      await checkMarker(out, path, bytes, seen)
    } else if (name === 'manifest.json' && !isJson(bytes)) seen.invalid.push(path)
  }
}

/** While a marker stands, all that it promises stands; it may be taken back between two looks. */
async function checkMarker(out: string, path: string, bytes: Buffer, seen: Seen): Promise<void> {
  const steps = timingSteps(parseTiming(bytes.toString('utf8'), path))
  const before = await inodeOf(join(out, path))
  for (const name of ['final.png', ...Array.from({ length: steps }, (_, i) => `${i + 1}.png`)]) {
    const picture = await readIfThere(join(out, dirname(path), name))
    const isPromised = before !== null && (await inodeOf(join(out, path))) === before
    if (isPromised && (picture === null || !isWholePng(picture))) seen.invalid.push(`${path}: ${name}`)
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'))
    return true
  } catch {
    return false
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  return readFile(path).catch((error: unknown) => nullIfGone(error))
}

async function inodeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ ino, mtimeMs }) => ino + mtimeMs,
    (error: unknown) => nullIfGone(error),
  )
}

function nullIfGone(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}
