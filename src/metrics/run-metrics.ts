/**
 * What runs did, as Prometheus counts it: made of their events, the same that reporters draw. Who scrapes pays for the
 * text; a run pays a few additions an event. Names as prometheus.io/docs/practices/naming asks: base units, `_total`.
 */
import prometheus, { type Counter, type Histogram, type Registry } from 'prom-client'
import type { RunEvent } from '../run/events.ts'

export interface RunMetrics {
  readonly registry: Registry
  readonly onEvent: (event: RunEvent) => void
}

/** From a tiny model's step to that of a large video model on a CPU. */
const STEP_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
const UNIT_SECONDS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]

/** Logs lie where others may write: what is no name of ours makes no series of its own. */
const codeOf = (code: string) => (/^[EW]_[A-Z0-9_]{1,60}$/.test(code) ? code : 'other')
const deviceOf = (device: string) => (/^[a-z]{1,16}:\d{1,3}$/.test(device) ? device : 'other')

/** @param version of pregen */
export function createRunMetrics(version: string): RunMetrics {
  const registry = new prometheus.Registry()
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new prometheus.Counter({ name, help, labelNames, registers })
  new prometheus.Gauge({
    name: 'pregen_build_info',
    help: 'Release of pregen.',
    labelNames: ['version'],
    registers,
  })
    .labels(version)
    .set(1)
  const units = counter('pregen_units_total', 'Units by how they ended.', ['state'])
  // Series that are there from the first scrape on: a rate has a beginning.
  for (const state of ['done', 'failed', 'skipped'] as const) units.inc({ state }, 0)
  const steps = counter('pregen_steps_total', 'Steps that were executed.')
  const stepSeconds = new prometheus.Histogram({
    ...{ name: 'pregen_step_seconds', help: 'Time of a step.', labelNames: ['device'], registers },
    buckets: STEP_SECONDS,
  })
  const unitSeconds = new prometheus.Histogram({
    ...{ name: 'pregen_unit_seconds', help: 'Time of a unit, from its start to its last file.', registers },
    buckets: UNIT_SECONDS,
  })
  const restarts = counter('pregen_unit_restarts_total', 'Units that were begun again.')
  const failures = counter('pregen_failures_total', 'Units that failed, by the code of the error.', ['code'])
  const previewFailures = counter('pregen_preview_failures_total', 'Step pictures that could not be made.')
  const warnings = counter('pregen_warnings_total', 'Warnings, by code.', ['code'])
  const modelLoads = counter('pregen_model_loads_total', 'Models that were loaded.')
  const modelSeconds = counter('pregen_model_load_seconds_total', 'Time spent on loading models.')
  const uploads = counter('pregen_uploads_total', 'Objects for the bucket, by how they ended.', ['state'])
  for (const state of ['sent', 'failed'] as const) uploads.inc({ state }, 0)
  const bytes = counter('pregen_upload_bytes_total', 'Bytes that the bucket confirmed.')
  const retries = counter('pregen_upload_retries_total', 'Further tries that uploads took.')
  const films = counter('pregen_films_total', 'Films, by how they ended.', ['state'])
  const count = { units, steps, stepSeconds, unitSeconds, restarts, failures, previewFailures, warnings }
  const rest = { modelLoads, modelSeconds, uploads, bytes, retries, films }
  return { registry, onEvent: (event) => tally({ ...count, ...rest }, event) }
}

interface Tallies {
  readonly units: Counter<'state'>
  readonly steps: Counter
  readonly stepSeconds: Histogram<'device'>
  readonly unitSeconds: Histogram
  readonly restarts: Counter
  readonly failures: Counter<'code'>
  readonly previewFailures: Counter
  readonly warnings: Counter<'code'>
  readonly modelLoads: Counter
  readonly modelSeconds: Counter
  readonly uploads: Counter<'state'>
  readonly bytes: Counter
  readonly retries: Counter
  readonly films: Counter<'state'>
}

function tally(count: Tallies, event: RunEvent): void {
  switch (event.type) {
    case 'unit-skipped':
      count.units.inc({ state: 'skipped' })
      break
    case 'step':
      count.steps.inc()
      count.stepSeconds.observe({ device: deviceOf(event.device) }, event.durationMs / 1000)
      break
    case 'unit-restarted':
      count.restarts.inc()
      break
    case 'unit-finished':
      count.units.inc({ state: 'done' })
      count.unitSeconds.observe(event.durationMs / 1000)
      break
    case 'unit-failed':
      count.units.inc({ state: 'failed' })
      count.failures.inc({ code: codeOf(event.code) })
      break
    case 'preview-failed':
      count.previewFailures.inc()
      break
    case 'warning':
      count.warnings.inc({ code: codeOf(event.code) })
      break
    case 'model-loaded':
      count.modelLoads.inc()
      count.modelSeconds.inc(event.durationMs / 1000)
      break
    case 'object-uploaded':
      count.uploads.inc({ state: 'sent' })
      count.bytes.inc(event.sizeBytes)
      count.retries.inc(Math.max(0, event.attempts - 1))
      break
    case 'upload-failed':
      count.uploads.inc({ state: 'failed' })
      break
    case 'film-made':
      count.films.inc({ state: 'made' })
      break
    case 'film-failed':
      count.films.inc({ state: 'failed' })
  }
}
