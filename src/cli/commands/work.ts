/** `pregen work`: draws what a queue holds, sends it and confirms it, until a signal or an end that was asked for. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { PregenError } from '../../errors.ts'
import { cacheFolder, stateFolder } from '../../library/home.ts'
import { pageFolder } from '../../library/package.ts'
import type { RequestedProvider } from '../../model/providers.ts'
import { plural } from '../../printable.ts'
import type { QueueClient } from '../../queue/connect.ts'
import { exitCodeOfWork, type WorkSummary, workQueue } from '../../queue/work.ts'
import { createEventBus } from '../../run/event-bus.ts'
import type { RunEvent } from '../../run/events.ts'
import type { ExitCode } from '../exit-codes.ts'
import { printJson, printLine } from '../print.ts'
import { createHashProgress } from '../progress.ts'
import { openQueue, type QueueFlags } from '../queue-flags.ts'
import { describeChoice, describeTrouble } from '../reporters/describe.ts'
import { formatDuration } from '../reporters/format.ts'
import {
  type EndpointFlags,
  injectionFromEnv,
  type SheetFlags,
  toEndpointPolicy,
  toReadOptions,
} from '../select-options.ts'
import { watchSignals } from '../signals.ts'
import type { MetricsFlags, WorkMetrics } from '../work-metrics.ts'

export interface WorkFlags extends SheetFlags, EndpointFlags, QueueFlags, Partial<MetricsFlags> {
  readonly out: string
  readonly model?: Readonly<Record<string, string>>
  readonly sheets?: string
  readonly bucket?: string
  readonly provider?: RequestedProvider
  readonly deviceId?: number
  readonly devices?: readonly number[]
  readonly threads?: number
  readonly concurrency?: number
  readonly drain?: boolean
  readonly maxJobs?: number
  readonly idleTimeout?: number
  readonly lease?: number
  readonly name?: string
  readonly trustSize?: boolean
  readonly allowPrivateUrls?: boolean
  readonly testFaults?: boolean
  readonly format: 'plain' | 'ndjson'
}

/** A machine may be up before its queue is. */
const PATIENCE_MS = 60_000

export async function workCommand(flags: WorkFlags): Promise<ExitCode> {
  const say = (line: string) => printLine(process.stderr, line)
  const signals = watchSignals(say, { drain: 'asked' })
  const client = await openQueue(flags, { patienceMs: PATIENCE_MS, signal: signals.signal })
  let metrics: WorkMetrics | null = null
  try {
    metrics = await openMetrics(client, flags)
    if (metrics !== null) say(`metrics at ${metrics.server.url}`)
    const hashing = await createHashProgress()
    const bus = createEventBus()
    bus.subscribe(flags.format === 'ndjson' ? (event) => printJson(process.stdout, event) : workLinesTo(say))
    if (metrics !== null) bus.subscribe(metrics.onEvent)
    say(`working for ${client.description} as ${machineOf(flags)}`)
    const summary = await workQueue(client, {
      ...toReadOptions(flags),
      ...toEndpointPolicy(flags),
      ...{ outDir: resolve(flags.out), pageFolder, onHash: hashing.onHash },
      ...{ cacheDir: cacheFolder(process.env), stateDir: stateFolder(process.env) },
      trustSize: flags.trustSize === true,
      allowPrivateUrls: flags.allowPrivateUrls === true,
      provider: flags.provider,
      devices: flags.devices ?? (flags.deviceId === undefined ? undefined : [flags.deviceId]),
      threads: flags.threads,
      concurrency: flags.concurrency,
      injection: flags.testFaults === true ? injectionFromEnv() : {},
      sheetsFolder: flags.sheets === undefined ? null : resolve(flags.sheets),
      modelPlaces: placesOf(flags.model ?? {}),
      bucket: flags.bucket,
      machine: machineOf(flags),
      endsWhenEmpty: flags.drain === true,
      maxJobs: flags.maxJobs,
      idleTimeoutMs: flags.idleTimeout === undefined ? undefined : flags.idleTimeout * 1000,
      leaseMs: flags.lease === undefined ? undefined : flags.lease * 1000,
      ...{ onJobEnded: metrics?.onJobEnded, onEngine: metrics?.onEngine },
      emit: bus.emit,
      say,
      signal: signals.signal,
      draining: signals.draining,
    })
    say(wordsOf(summary))
    return signals.exitCode() ?? exitCodeOfWork(summary)
  } catch (error) {
    const code = signals.exitCode()
    if (code !== null && error instanceof PregenError) return code
    throw error
  } finally {
    signals.close()
    await metrics?.server.close()
    await client.close()
  }
}

async function openMetrics(client: QueueClient, flags: WorkFlags): Promise<WorkMetrics | null> {
  const { metricsPort, metricsHost = '127.0.0.1' } = flags
  if (metricsPort === undefined) return null
  return await (await import('../work-metrics.ts')).startWorkMetrics(client, { metricsPort, metricsHost })
}

/** Who draws, as others see it. */
function machineOf({ name }: WorkFlags): string {
  return name ?? `${hostname()}:${process.pid}`
}

function placesOf(models: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(models).map(([id, path]) => [id, resolve(path)]))
}

/** Lines for people and logs: the units of a worker are known when they come, so that none is counted against a total. */
function workLinesTo(say: (line: string) => void): (event: RunEvent) => void {
  return (event) => {
    for (const line of describeTrouble(event)) say(line)
    if (event.type === 'provider-chosen') for (const line of describeChoice(event)) say(line)
    if (event.type === 'model-loaded')
      say(`${event.model} loaded on ${event.provider} in ${formatDuration(event.durationMs)}`)
    if (event.type === 'unit-finished')
      say(
        `${event.cue}/${event.variant}  ${plural(event.files.length, 'file')}  ${formatDuration(event.durationMs)}`,
      )
  }
}

function wordsOf({ jobs, drawn, filmsFailed, sheets, refused }: WorkSummary): string {
  const parts = [
    `${plural(drawn, 'unit')} drawn`,
    `${jobs.done} ${jobs.done === 1 ? 'job' : 'jobs'} done`,
    ...(jobs.failed > 0 ? [`${jobs.failed} failed and are tried again`] : []),
    ...(jobs['given-up'] > 0 ? [`${jobs['given-up']} given up`] : []),
    ...(jobs['given-back'] > 0 ? [`${jobs['given-back']} given back`] : []),
    ...(jobs.lost > 0 ? [`${jobs.lost} lost to others`] : []),
    ...(filmsFailed > 0 ? [`${plural(filmsFailed, 'film')} not made`] : []),
    ...(sheets > 0 ? [`${plural(sheets, 'sheet')} ended`] : []),
    ...(refused > 0 ? [`${plural(refused, 'model')} refused`] : []),
  ]
  return parts.join(', ')
}
