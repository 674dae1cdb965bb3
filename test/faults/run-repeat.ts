/** Promise 8: what is whole is left alone, at once. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { eventOf } from '../support/cli.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startMoto } from '../support/moto.ts'
import { BUCKET_ENV, runWhole, tinySheet, unitsOf, writeSheet } from '../support/runs.ts'

export interface RepeatResult {
  readonly firstMs: number
  /** Of the process, from start to exit. */
  readonly secondMs: number
  /** Of the run itself: lock, plan, decisions, manifest. */
  readonly secondRunMs: number
  readonly peakRssBytes: number
}

/** Makes and uploads a set of pictures, then runs the same again. */
export async function runTwice(folder: string, units: number): Promise<RepeatResult> {
  await mkdir(folder, { recursive: true })
  const moto = await startMoto()
  const proxy = await startFaultProxy(moto.endpoint)
  try {
    await moto.createBucket('show')
    const seeds = Array.from({ length: units }, (_, i) => i + 1)
    const sheet = await writeSheet(
      folder,
      tinySheet({
        programs: { P0: { steps: 1 } },
        cues: { dawn: { program: 'P0', prompt: 'misty mountains', seeds } },
        storage: { bucket: 'show', endpoint: proxy.endpoint },
      }),
    )
    const out = join(folder, 'out')
    const firstFrom = performance.now()
    const first = await runWhole(sheet, out, [], { env: BUCKET_ENV })
    const firstMs = performance.now() - firstFrom
    const firstEnd = eventOf(first.events, 'run-finished')
    expect(firstEnd).toMatchObject({ done: units, uploaded: units + 1 })

    const requests = new Map(proxy.requests)
    const secondFrom = performance.now()
    const second = await runWhole(sheet, out, [], { env: BUCKET_ENV })
    const secondMs = performance.now() - secondFrom
    const end = eventOf(second.events, 'run-finished')
    expect(end).toMatchObject({ done: 0, skipped: units, failed: 0, uploaded: 0, uploadsFailed: 0 })
    expect([end.sessionRunMs, end.modelLoadMs, end.provider]).toEqual([0, 0, null])
    expect(unitsOf(second.events, 'unit-started')).toEqual([])
    // Not one request of any kind: neither a PUT nor a probe.
    expect(new Map(proxy.requests)).toEqual(requests)
    return { firstMs, secondMs, secondRunMs: end.wallMs, peakRssBytes: firstEnd.peakRssBytes }
  } finally {
    await proxy.stop()
    await moto.stop()
  }
}
