/** A run as its watchers see it, staged by hand: record, log and pictures, without anything drawn. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import type { Confinement } from '../../src/artifacts/confinement.ts'
import { processIdentity } from '../../src/artifacts/lock-holder.ts'
import type { RunEvent, RunEventBody } from '../../src/run/events.ts'
import { createRunLog } from '../../src/watch/runs/log-writer.ts'
import { makeRunFolder } from '../../src/watch/runs/run-folder.ts'
import {
  createRecord,
  type RunRecord,
  recordTakenUp,
  writeRunRecord,
} from '../../src/watch/runs/run-record.ts'

export interface StagedRun {
  readonly id: string
  readonly inside: Confinement
  emit(event: RunEventBody): Promise<void>
  record(changes: Partial<RunRecord>): Promise<void>
  /** Draws a step picture of a variant, and tells of it. */
  preview(cue: string, variant: string, step: number): Promise<void>
  finish(cue: string, variant: string): Promise<void>
}

export interface Staging {
  readonly out: string
  readonly id: string
  readonly units?: number
  readonly steps?: number
  /** Whether this very process counts as the one that runs it. */
  readonly alive?: boolean
}

export async function stageRun({ out, id, units = 1, steps = 4, alive = true }: Staging): Promise<StagedRun> {
  await mkdir(out, { recursive: true })
  const inside = makeRunFolder(out, id)
  let record = createRecord({ id, sheet: 'cues.yaml', detached: true, options: ['--dry-run'] })
  record = alive
    ? await recordTakenUp(record)
    : { ...record, pid: 999_999_9, process: await processIdentity(process.pid) }
  await writeRunRecord(inside, record)
  const log = createRunLog(inside, id, (why) => {
    throw new Error(why)
  })
  let seq = 0
  const emit = async ({ type, ...fields }: RunEventBody) => {
    seq += 1
    const event = {
      type,
      run: id,
      seq,
      time: new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString(),
      ...fields,
    }
    log.append(event as RunEvent)
    await log.close()
  }
  const prefix = 'foigoi/v'
  const folderOf = (cue: string, variant: string) => join(out, prefix, 'cues', cue, variant)
  const draw = async (path: string, shade: number) => {
    await mkdir(dirname(path), { recursive: true })
    const background = { r: shade, g: 40, b: 90 }
    const png = await sharp({ create: { width: 96, height: 64, channels: 3, background } })
      .png()
      .toBuffer()
    await writeFile(path, png)
  }
  await emit({
    ...{
      type: 'run-planned',
      units,
      skipped: 0,
      steps: units * steps,
      shard: null,
      version: 'v',
      out,
      prefix,
    },
    plan: Array.from({ length: units }, (_, i) => ({
      ...{ cue: 'dawn', variant: `v${i + 1}`, program: 'P1', steps, action: 'run' as const },
    })),
  })
  return {
    id,
    inside,
    emit,
    async record(changes) {
      record = { ...record, ...changes }
      await writeRunRecord(inside, record)
    },
    async preview(cue, variant, step) {
      const path = join(folderOf(cue, variant), `${step}.png`)
      await draw(path, (step * 40) % 256)
      await emit({ type: 'preview', cue, variant, step, path, animation: null })
    },
    async finish(cue, variant) {
      const path = join(folderOf(cue, variant), 'final.png')
      await draw(path, 250)
      await emit({ type: 'unit-finished', cue, variant, files: [path], durationMs: 1000 })
    },
  }
}

export const started = (variant: string, steps = 4): RunEventBody => ({
  ...{ type: 'unit-started', cue: 'dawn', variant, program: 'P1', seed: '7', steps, device: 'cpu:0' },
})

export const stepped = (variant: string, step: number, steps = 4): RunEventBody => ({
  ...{ type: 'step', cue: 'dawn', variant, step, steps, durationMs: 100, device: 'cpu:0' },
})

export const runFinished = (
  changes: Partial<Extract<RunEventBody, { type: 'run-finished' }>> = {},
): RunEventBody => ({
  ...{
    type: 'run-finished',
    done: 1,
    skipped: 0,
    failed: 0,
    left: 0,
    cancelled: false,
    drained: false,
    uploaded: 0,
    uploadsFailed: 0,
    filmsFailed: 0,
  },
  ...{
    wallMs: 1000,
    sessionRunMs: 900,
    modelLoadMs: 50,
    peakRssBytes: 1,
    provider: 'cpu',
    version: 'v',
    folder: '/x',
  },
  ...changes,
})
