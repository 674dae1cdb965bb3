/** A run in the background: what `run --detach` and `POST /api/runs` start, with what is expected of it. */
import { join } from 'node:path'
import { packageRoot } from '../library/package.ts'
import { createRunId } from '../run/event-bus.ts'
import { RunList } from '../watch/runs/run-list.ts'
import { submitRun } from '../watch/runs/submit-run.ts'
import type { Submitted } from '../watch/server/app.ts'

export interface BackgroundRun {
  readonly out: string
  readonly sheet: string
  readonly text: string | undefined
  /** As on the command line. */
  readonly options: readonly string[]
  readonly cwd: string
  readonly runs?: RunList | undefined
  /** Seconds that it is expected to take; null: nothing tells. */
  readonly expectedSeconds?: number | null | undefined
}

export async function submitInBackground(run: BackgroundRun): Promise<Submitted> {
  const { out, sheet, text, options, cwd, expectedSeconds = null } = run
  const id = createRunId(new Date())
  const launcher = join(packageRoot, 'bin/pregen.js')
  await submitRun({ id, out, sheet, text, options, expectedSeconds, launcher, cwd, env: process.env })
  const status = await (run.runs ?? new RunList(out)).status(id)
  return {
    id,
    state: status?.state ?? 'queued',
    position: status?.position ?? null,
    eta_seconds: status?.eta_seconds ?? null,
  }
}
