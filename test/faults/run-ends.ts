/**
 * Promise: however early a run ends, it ends by its own words. A process that was ended while it loads native code, or
 * has it at work, once took the message with it (`terminate called after throwing an instance of 'Napi::Error'`, 134).
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { startServer } from '../net/local-server.ts'
import { BUCKET_ENV, type RunResult, runSheet, tinySheet, writeSheet } from '../support/runs.ts'

const SHEET = {
  programs: { P1: { previews: { method: 'latent2rgb' } } },
  cues: { dawn: { program: 'P1', prompt: 'misty mountains', seeds: [1, 2, 3] } },
}

const ABORTED = /terminate called|Napi::Error|core dumped/

/** Numbers in 0 … 1 that a seed repeats (mulberry32). */
export function createMoments(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Runs whose bucket is refused while the inference process gets ready. */
export async function refuse(folder: string, count: number): Promise<void> {
  const server = await startServer('http', (_, response) => {
    const body =
      '<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>'
    response.writeHead(404, { 'content-type': 'application/xml' }).end(body)
  })
  try {
    const storage = { bucket: 'show', endpoint: `http://127.0.0.1:${server.port}` }
    const sheet = await writeSheet(folder, tinySheet({ ...SHEET, storage }), 'refused.yaml')
    for (let i = 0; i < count; i++) {
      const out = join(folder, 'refused')
      const { status, stderr } = await runSheet(sheet, out, [], { env: BUCKET_ENV })
      expect([i, status, stderr]).toEqual([i, 2, expect.stringContaining('E_NO_BUCKET')])
      expect(stderr).not.toMatch(ABORTED)
      await rm(out, { recursive: true })
    }
  } finally {
    await server.close()
  }
}

/** Runs that are cancelled at moments that a seed repeats, from their first millisecond to their last. */
export async function cancel(folder: string, count: number, seed: number): Promise<number> {
  const sheet = await writeSheet(folder, tinySheet(SHEET), 'cancelled.yaml')
  const from = performance.now()
  await cancelled(sheet, join(folder, 'whole'), null)
  const wallMs = performance.now() - from
  const moments = createMoments(seed)
  let early = 0
  for (let i = 0; i < count; i++) {
    const out = join(folder, 'cancelled')
    const { status, stderr } = await cancelled(sheet, out, moments() * wallMs)
    expect([seed, i, [0, 130].includes(status), stderr]).toEqual([seed, i, true, expect.any(String)])
    expect(stderr).not.toMatch(ABORTED)
    if (status === 130) early++
    await rm(out, { recursive: true, force: true })
  }
  return early
}

function cancelled(sheet: string, out: string, afterMs: number | null): Promise<RunResult> {
  return runSheet(sheet, out, ['--dry-run'], {
    onStart(child) {
      if (afterMs !== null) void sleep(afterMs).then(() => child.kill('SIGINT'))
    },
  })
}
