/** A run on disk as its watchers find it: record, log and pictures, of which a test tells each. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import type { RunEvent, RunEventBody } from '../../../src/run/events.ts'
import { createRunLog } from '../../../src/watch/runs/log-writer.ts'
import { makeRunFolder } from '../../../src/watch/runs/run-folder.ts'
import {
  createRecord,
  type RunRecord,
  recordTakenUp,
  writeRunRecord,
} from '../../../src/watch/runs/run-record.ts'

export interface LiveRun {
  readonly id: string
  emit(...events: RunEventBody[]): Promise<void>
  record(changes: Partial<RunRecord>): Promise<void>
  /** A step that is done, and its picture: one flat colour. */
  step(cue: string, variant: string, step: number, look: number | StepLook): Promise<void>
}

/** How a step's picture looks: its red, or more than that. */
export interface StepLook {
  readonly red: number
  /** Whether an animation stands beside it. */
  readonly moves?: boolean
}

export interface LiveRunOptions {
  /** Default: at work, by this very process. */
  readonly changes?: Partial<RunRecord>
  readonly prefix?: string
}

export async function startLiveRun(
  out: string,
  id: string,
  { changes = {}, prefix = 'foigoi/night' }: LiveRunOptions = {},
): Promise<LiveRun> {
  await mkdir(out, { recursive: true })
  const inside = makeRunFolder(out, id)
  const created = createRecord({ id, sheet: 'cues.yaml', detached: true, options: [] })
  let record: RunRecord = {
    ...(await recordTakenUp(created)),
    begunAt: new Date().toISOString(),
    ...changes,
  }
  await writeRunRecord(inside, record)
  let seq = 0
  const emit = async (...events: RunEventBody[]) => {
    const log = createRunLog(inside, id, (why) => {
      throw new Error(why)
    })
    for (const { type, ...fields } of events) {
      seq += 1
      const time = new Date(Date.UTC(2026, 10, 26) + seq * 50).toISOString()
      log.append({ type, run: id, seq, time, ...fields } as RunEvent)
    }
    await log.close()
  }
  return {
    id,
    emit,
    async record(next) {
      record = { ...record, ...next }
      await writeRunRecord(inside, record)
    },
    async step(cue, variant, step, look) {
      const { red, moves = false } = typeof look === 'number' ? { red: look } : look
      const path = join(out, prefix, 'cues', cue, variant, `${step}.png`)
      await mkdir(dirname(path), { recursive: true })
      const background = { r: red, g: 60, b: 120 }
      const flat = sharp({ create: { width: 64, height: 48, channels: 3, background } })
      await writeFile(path, await flat.png().toBuffer())
      const animation = moves ? path.replace(/png$/, 'webp') : null
      if (animation !== null) await writeFile(animation, await flat.resize(32, 24).webp().toBuffer())
      await emit(
        { type: 'step', cue, variant, step, steps: 4, durationMs: 71, device: 'cuda:0' },
        { type: 'preview', cue, variant, step, path, animation },
      )
    },
  }
}

/** The last event of a run that ended as it should. */
export function runFinished(version: string): RunEventBody {
  return {
    type: 'run-finished',
    ...{ done: 1, skipped: 0, failed: 0, left: 0, cancelled: false, drained: false },
    ...{ uploaded: 0, uploadsFailed: 0, filmsFailed: 0 },
    ...{ wallMs: 1000, sessionRunMs: 900, modelLoadMs: 50, peakRssBytes: 1, provider: 'cuda' },
    ...{ version, folder: '/x' },
  }
}
