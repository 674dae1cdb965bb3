/**
 * A process that writes variants as a run does (lock, sweep, ledger, writer), without a model: the bytes of each
 * picture follow from its name. A test kills it wherever it likes.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { sweepTemporaryFiles } from '../../src/artifacts/durable-write.ts'
import { inspectFiles, listVariantFiles } from '../../src/artifacts/file-state.ts'
import { readLedger } from '../../src/artifacts/ledger.ts'
import { parseTiming, timingSteps } from '../../src/artifacts/timing.ts'
import { testLayout } from './variants.ts'

/** argv: out, variants, steps, kill point or "", how often that point is passed before the kill. */
export const RENDER_SCRIPT = `
  import { createHash } from 'node:crypto'
  import { sweepTemporaryFiles } from './src/artifacts/durable-write.js'
  import { inspectFiles } from './src/artifacts/file-state.js'
  import { createLayout } from './src/artifacts/layout.js'
  import { openOutputFolder } from './src/artifacts/output-folder.js'
  import { openLedger } from './src/artifacts/ledger.js'
  import { acquireLock } from './src/artifacts/lock.js'
  import { timingOf } from './src/artifacts/timing.js'
  import { createVariantWriter } from './src/artifacts/variant-writer.js'

  const [out, variants, steps, point, passes] = process.argv.slice(2)
  process.exitCode = 1
  let left = Number(passes)
  const onPoint = (reached) => {
    if (reached === point && left-- <= 0) process.kill(process.pid, 'SIGKILL')
  }
  const pixels = (name) => {
    const bytes = new Uint8Array(3000)
    let state = createHash('sha256').update(name).digest().readUInt32LE(0)
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bytes[i] = state >>> 24
    }
    return bytes
  }
  let lock, ledger
  try {
    await openOutputFolder(out)
    const layout = createLayout({ out, root: 'foigoi', version: 'v1' })
    lock = await acquireLock(layout.state.lockPath)
    const swept = await sweepTemporaryFiles(out)
    ledger = await openLedger(layout.state.ledgerPath, { onPoint })
    const done = []
    console.log('ready')
    for (let i = 0; i < Number(variants); i++) {
      const variant = 'seed-' + i
      const key = layout.variantKey('dawn', variant)
      const folder = layout.variantFolder('dawn', variant)
      const known = ledger.units.get(key)
      if (known && (await inspectFiles(folder, known.files)).every((state) => state.fault === null)) continue
      await ledger.forgetUnit(key)
      const writer = await createVariantWriter({ out, folder, onPoint })
      const writes = []
      for (let step = 1; step <= Number(steps); step++) {
        writes.push(writer.writeStep(step, pixels(variant + '/' + step)))
      }
      await Promise.all(writes)
      await writer.writeFinal(pixels(variant + '/final'))
      const files = await writer.finish(timingOf(Array(Number(steps)).fill(3), 1))
      await ledger.recordUnit(key, { digest: 'd', parts: {}, files })
      done.push(key)
    }
    console.log(JSON.stringify({ done, swept }))
    process.exitCode = 0
  } catch (error) {
    console.error(error.code + ': ' + error.message)
    process.exitCode = error.exitCode ?? 1
  } finally {
    await ledger?.close().catch(() => {})
    await lock?.release().catch(() => {})
  }
`

/** What a tree holds, by path below the output folder; state files left out. */
export async function treeHashes(out: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  const walk = async (path: string): Promise<void> => {
    for (const entry of await readdir(join(out, path), { withFileTypes: true })) {
      const child = join(path, entry.name)
      if (entry.isDirectory()) {
        if (entry.name !== '.pregen') await walk(child)
      } else
        hashes.set(
          child,
          createHash('sha256')
            .update(await readFile(join(out, child)))
            .digest('hex'),
        )
    }
  }
  await walk('')
  return new Map([...hashes].sort())
}

/** A marker that stands promises every picture that it names; checked at any moment, in any state. */
export async function expectMarkersTrue(out: string, variants: number): Promise<void> {
  const layout = testLayout(out)
  for (let i = 0; i < variants; i++) {
    const folder = layout.variantFolder('dawn', `seed-${i}`)
    const names: readonly string[] = await listVariantFiles(folder)
    if (!names.includes('timing.json')) continue
    const timing = parseTiming(await readFile(join(folder, 'timing.json'), 'utf8'), folder)
    for (let step = 1; step <= timingSteps(timing); step++) expect(names).toContain(`${step}.png`)
    expect(names).toContain('final.png')
  }
}

/** Nothing half-written is left anywhere. */
export async function expectNoTemporaryFiles(out: string): Promise<void> {
  expect(await sweepTemporaryFiles(out)).toEqual([])
}

/** Units that the ledger calls finished and whose files all stand as recorded. */
export async function finishedUnits(out: string): Promise<readonly string[]> {
  const { units } = await readLedger(testLayout(out).state.ledgerPath)
  const finished: string[] = []
  for (const [key, unit] of units) {
    const states = await inspectFiles(join(out, key), unit.files)
    if (states.every((state) => state.fault === null)) finished.push(key)
  }
  return finished
}
