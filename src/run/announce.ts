/** What a run tells before its first unit. */
import type { PreparedUnit, PrepareWarning } from './prepared.ts'
import type { RunRequest } from './run-request.ts'
import type { BucketFindings } from './whole-in-bucket.ts'

/** Tells a warning once, however many units it is of. */
export function warnOnce({ bus }: Pick<RunRequest, 'bus'>): (warning: PrepareWarning) => void {
  const messages = new Set<string>()
  return ({ code, message }) => {
    if (!messages.has(message)) bus.emit({ type: 'warning', code, message })
    messages.add(message)
  }
}

export function announce(
  { prepared, bus: { emit } }: Pick<RunRequest, 'prepared' | 'bus'>,
  { decisions, warnings }: BucketFindings,
  toRun: readonly PreparedUnit[],
): void {
  emit({
    type: 'run-planned',
    units: decisions.length,
    skipped: decisions.length - toRun.length,
    shard: prepared.shard,
    steps: toRun.reduce((sum, { unit }) => sum + unit.executedSteps, 0),
    version: prepared.version,
    out: prepared.layout.out,
    prefix: prepared.layout.prefix,
    plan: decisions.map(({ entry: { unit }, action }) => {
      const { cue, variant, program, executedSteps: steps, axes } = unit
      return { cue, variant, program, steps, action, ...(axes === undefined ? {} : { axes }) }
    }),
  })
  for (const { code, message } of [...prepared.warnings, ...warnings])
    emit({ type: 'warning', code, message })
  for (const { action, reason, entry } of decisions) {
    const { cue, variant } = entry.unit
    if (action === 'skip') emit({ type: 'unit-skipped', cue, variant, reason })
  }
}
