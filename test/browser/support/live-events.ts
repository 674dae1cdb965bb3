/** The log of a run that has drawn a manifest's pictures as far as one of them. */
import type { RunEventBody } from '../../../src/run/events.ts'

interface ManifestLike {
  readonly version: string
  readonly assets: readonly {
    readonly cue: string
    readonly variant: string
    readonly program: string
    readonly timing_url: string | null
    readonly metadata: { readonly seed: string; readonly steps_executed: number }
  }[]
}

interface Place {
  /** The output folder. */
  readonly out: string
  /** `dawn/wide`: the one in the making; null: none yet. */
  readonly current: string | null
  /** Its last step. */
  readonly step: number
  /** One that failed. */
  readonly failed?: string
}

const STEP_MS = 71

export function liveEvents(
  { version, assets }: ManifestLike,
  { out, current, step, failed }: Place,
): RunEventBody[] {
  const prefix = `foigoi/${version}`
  const events: RunEventBody[] = [
    {
      type: 'run-planned',
      units: assets.length,
      skipped: 0,
      steps: assets.reduce((sum, { metadata }) => sum + metadata.steps_executed, 0),
      ...{ shard: null, version, out, prefix },
      plan: assets.map(({ cue, variant, program, metadata }) => ({
        ...{ cue, variant, program, steps: metadata.steps_executed, action: 'run' as const },
      })),
    },
    {
      type: 'model-loaded',
      model: 'backdrop',
      provider: 'cuda',
      device: 'cuda:0',
      prompts: 2,
      durationMs: 900,
    },
    { type: 'uploads-expected', objects: 334 },
  ]
  for (const { cue, variant, program, timing_url, metadata } of assets) {
    const unit = { cue, variant }
    const name = `${cue}/${variant}`
    const steps = metadata.steps_executed
    const folder = `${out}/${prefix}/cues/${name}`
    events.push({ type: 'unit-started', ...unit, program, seed: metadata.seed, steps, device: 'cuda:0' })
    for (let at = 1; at <= (name === current ? step : steps); at++) {
      events.push({ type: 'step', ...unit, step: at, steps, durationMs: STEP_MS, device: 'cuda:0' })
      if (timing_url !== null)
        events.push({ type: 'preview', ...unit, step: at, path: `${folder}/${at}.png`, animation: null })
    }
    if (name === current) break
    if (name === failed) {
      const message = 'The decoded pixels hold NaN values.'
      const help = 'Use an fp32 vae_decoder.'
      events.push({ type: 'unit-failed', ...unit, stage: 'vae decode', code: 'E_NOT_FINITE', message, help })
      continue
    }
    const files = ['timing.json', 'final.png'].map((file) => `${folder}/${file}`)
    events.push({ type: 'unit-finished', ...unit, files, durationMs: steps * STEP_MS + 120 })
    for (let sent = 0; sent < steps; sent++)
      events.push({ type: 'object-uploaded', key: `${prefix}/cues/${name}`, sizeBytes: 1, attempts: 1 })
  }
  return events
}
