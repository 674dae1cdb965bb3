/** Ends a run as SIGTERM does, or takes it out of the queue. */
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { PregenError } from '../../errors.ts'
import type { RunList } from './run-list.ts'
import type { RunStatusJson } from './run-status.ts'

/** How long the answer waits for the end. */
const ANSWER_MS = 1500

/**
 * @param signal SIGUSR1: it finishes the pictures in hand first; an upload, which has none, just ends
 * @returns how it stands a moment later: a picture in the making may still be finishing
 * @throws PregenError `E_NO_RUN`, `E_RUN_ELSEWHERE`
 */
export async function cancelRun(
  runs: RunList,
  id: string,
  answerMs = ANSWER_MS,
  signal: 'SIGTERM' | 'SIGUSR1' = 'SIGTERM',
): Promise<RunStatusJson> {
  const status = await statusOf(runs, id)
  if (status.state !== 'queued' && status.state !== 'running') return status
  if (status.host !== hostname()) {
    throw new PregenError('E_RUN_ELSEWHERE', `${id} runs on ${status.host}, not on this machine.`, {
      help: `There: pregen cancel ${id} --out ${status.out}`,
    })
  }
  const end = performance.now() + answerMs
  let isTold = false
  for (;;) {
    const now = await statusOf(runs, id)
    if (now.state !== 'queued' && now.state !== 'running') return now
    // A run that was submitted this very moment has no process yet.
    if (!isTold && now.pid !== null) {
      process.kill(now.pid, now.command === 'run' ? signal : 'SIGTERM')
      isTold = true
    }
    if (performance.now() > end) return now
    await sleep(50)
  }
}

async function statusOf(runs: RunList, id: string): Promise<RunStatusJson> {
  const status = await runs.status(id)
  if (status !== null) return status
  throw new PregenError('E_NO_RUN', `${runs.out} has no run "${id}".`, { help: '"pregen jobs" lists them.' })
}
