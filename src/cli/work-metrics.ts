/** `pregen work --metrics-port`: what this worker did and what its queue holds, for Prometheus. Loaded when it is asked for. */
import prometheus from 'prom-client'
import { PregenError } from '../errors.ts'
import { readPackageVersion } from '../library/package.ts'
import { addQueueMetrics } from '../metrics/queue-metrics.ts'
import { createRunMetrics } from '../metrics/run-metrics.ts'
import type { QueueClient } from '../queue/connect.ts'
import { countJobs } from '../queue/list.ts'
import type { WorkOptions } from '../queue/work.ts'
import type { RunEvent } from '../run/events.ts'
import { type MetricsServer, startMetricsServer } from '../watch/server/metrics-server.ts'

export interface WorkMetrics extends Required<Pick<WorkOptions, 'onJobEnded' | 'onEngine'>> {
  readonly server: MetricsServer
  readonly onEvent: (event: RunEvent) => void
}

export interface MetricsFlags {
  readonly metricsHost: string
  readonly metricsPort: number
}

/** @throws PregenError `E_PORT_IN_USE`, `E_SERVER_HOST`, `E_TOKEN_NEEDED` */
export async function startWorkMetrics(
  client: QueueClient,
  { metricsHost: host, metricsPort: port }: MetricsFlags,
): Promise<WorkMetrics> {
  const token = process.env.PREGEN_METRICS_TOKEN
  if (token !== undefined && !/^[\w.~+/-]{16,200}$/.test(token)) {
    throw new PregenError(
      'E_TOKEN_NEEDED',
      'PREGEN_METRICS_TOKEN must have 16 to 200 letters, digits or ._~+/-.',
      {
        help: 'Make one: openssl rand -hex 24',
      },
    )
  }
  const { registry, onEvent } = createRunMetrics(readPackageVersion())
  addQueueMetrics(registry, () => countJobs(client))
  const registers = [registry]
  const jobs = new prometheus.Counter({
    ...{ name: 'pregen_jobs_total', help: 'Jobs that this worker took, by how they ended.', registers },
    labelNames: ['outcome'],
  })
  for (const outcome of ['done', 'failed', 'given-up', 'given-back', 'lost']) jobs.inc({ outcome }, 0)
  let figures: () => { readonly sessionRunMs: number } = () => ({ sessionRunMs: 0 })
  new prometheus.Counter({
    ...{
      name: 'pregen_session_run_seconds_total',
      help: "Time inside ONNX Runtime's session.run.",
      registers,
    },
    collect() {
      this.reset()
      this.inc(figures().sessionRunMs / 1000)
    },
  })
  return {
    server: await startMetricsServer({ host, port, token, registry }),
    onEvent,
    onJobEnded: ({ outcome }) => jobs.inc({ outcome }),
    onEngine(own) {
      figures = own
    },
  }
}
