/**
 * What the runs of an output folder did since this server began, for `GET /metrics`. Their logs are read when somebody
 * scrapes, and not before: a run pays nothing for it. Counters begin at zero with the server, as Prometheus expects of one
 * that starts; what stood in the logs by then is history.
 */
import prometheus from 'prom-client'
import { addQueueMetrics } from '../../metrics/queue-metrics.ts'
import { createRunMetrics } from '../../metrics/run-metrics.ts'
import { RunFollower } from '../runs/follow-run.ts'
import type { RunList } from '../runs/run-list.ts'
import { readRunRecord } from '../runs/run-record.ts'
import { RUN_STATES } from '../runs/run-status.ts'
import type { ServedQueue } from './queue-routes.ts'

export interface WatchedMetrics {
  readonly registry: prometheus.Registry
  /** What a scraper is answered. */
  readonly text: () => Promise<string>
}

/** @param beganAt when the server did, ISO 8601 */
export function createWatchedMetrics(
  runs: RunList,
  version: string,
  beganAt: string,
  queue?: ServedQueue,
): WatchedMetrics {
  const { registry, onEvent } = createRunMetrics(version)
  if (queue !== undefined) addQueueMetrics(registry, queue.count)
  const registers = [registry]
  const states = new prometheus.Gauge({
    ...{
      name: 'pregen_runs',
      help: 'Runs that the folder keeps, by their state.',
      labelNames: ['state'],
      registers,
    },
  })
  const units = new prometheus.Gauge({
    ...{
      name: 'pregen_run_units',
      help: 'Units of runs at work, by their state.',
      labelNames: ['state'],
      registers,
    },
  })
  const session = new prometheus.Counter({
    name: 'pregen_session_run_seconds_total',
    help: "Time inside ONNX Runtime's session.run, of runs that have ended.",
    registers,
  })
  const followers = new Map<string, RunFollower>()
  const over = new Set<string>()

  const follow = async (id: string): Promise<void> => {
    if (over.has(id)) return
    const record = await readRunRecord(runs.inside, id)
    const isPast = record?.endedAt != null && record.endedAt < beganAt
    if (record === null || isPast) return void over.add(id)
    let follower = followers.get(id)
    if (follower === undefined) {
      follower = new RunFollower(runs.inside, id)
      follower.subscribe((event) => {
        if (event.time < beganAt) return
        onEvent(event)
        if (event.type === 'run-finished') session.inc(event.sessionRunMs / 1000)
      })
      followers.set(id, follower)
    }
    await follower.update()
    if (follower.state.end === null && record.exitCode === null) return
    over.add(id)
    followers.delete(id)
  }

  const look = async (): Promise<void> => {
    for (const id of runs.ids()) await follow(id)
    const summaries = await runs.summaries()
    for (const state of RUN_STATES)
      states.set({ state }, summaries.filter((one) => one.state === state).length)
    const going = [...followers].filter(([id]) =>
      summaries.some((one) => one.id === id && one.state === 'running'),
    )
    const sum = (of: (state: RunFollower['state']) => number) =>
      going.reduce((total, [, { state }]) => total + of(state), 0)
    units.set(
      { state: 'drawing' },
      sum(({ drawing }) => drawing.length),
    )
    units.set(
      { state: 'done' },
      sum(({ counts }) => counts.done),
    )
    units.set(
      { state: 'skipped' },
      sum(({ counts }) => counts.skipped),
    )
    units.set(
      { state: 'failed' },
      sum(({ counts }) => counts.failed),
    )
    const left = sum(({ counts, drawing }) => {
      return counts.planned - counts.skipped - counts.done - counts.failed - drawing.length
    })
    units.set({ state: 'queued' }, Math.max(0, left))
  }
  // One scrape after the other: each reads on where the one before stopped.
  let turn: Promise<unknown> = Promise.resolve()
  return {
    registry,
    text() {
      const next = turn.then(async () => {
        await look()
        return await registry.metrics()
      })
      turn = next.catch(() => undefined)
      return next
    },
  }
}
