/** The log of a run that has drawn a manifest's pictures as far as one of them. */

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
  /** `dawn/wide`: the one in the making; null: none yet. */
  readonly current: string | null
  /** Its last step. */
  readonly step: number
  /** One that failed. */
  readonly failed?: string
}

const STEP_MS = 71

export function liveEvents({ version, assets }: ManifestLike, { current, step, failed }: Place) {
  const events: Record<string, unknown>[] = [
    {
      type: 'run-planned',
      units: assets.length,
      skipped: 0,
      steps: assets.reduce((sum, { metadata }) => sum + metadata.steps_executed, 0),
      ...{ shard: null, version, out: '/srv/show/out' },
      plan: assets.map(({ cue, variant, program, metadata }) => ({
        ...{ cue, variant, program, steps: metadata.steps_executed, action: 'run' },
      })),
    },
    { type: 'model-loaded', model: 'backdrop', provider: 'cuda', device: 'cuda:0', durationMs: 900 },
    { type: 'uploads-expected', objects: 334 },
  ]
  for (const asset of assets) {
    const { cue, variant, program, metadata } = asset
    const name = `${cue}/${variant}`
    const unit = { cue, variant }
    const steps = metadata.steps_executed
    const last = name === current ? step : steps
    events.push({ type: 'unit-started', ...unit, program, seed: metadata.seed, steps, device: 'cuda:0' })
    for (let at = 1; at <= last; at++) {
      events.push({ type: 'step', ...unit, step: at, steps, durationMs: STEP_MS, device: 'cuda:0' })
      if (asset.timing_url !== null)
        events.push({ type: 'preview', ...unit, step: at, path: `/out/${name}/${at}.png` })
    }
    if (name === current) break
    if (name === failed) {
      const message = 'The decoded pixels hold NaN values. Use an fp32 vae_decoder.'
      events.push({ type: 'unit-failed', ...unit, stage: 'vae decode', code: 'E_NOT_FINITE', message })
      continue
    }
    const files = ['timing.json', 'final.png'].map((file) => `/out/${name}/${file}`)
    events.push({ type: 'unit-finished', ...unit, files, durationMs: steps * STEP_MS + 120 })
    events.push(
      ...Array.from({ length: steps }, () => ({
        type: 'object-uploaded',
        key: name,
        sizeBytes: 1,
        attempts: 1,
      })),
    )
  }
  return events
}
