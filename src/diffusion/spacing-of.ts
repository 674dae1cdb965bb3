import { booleanOf } from './config-keys.ts'
import type { SchedulerConfig } from './scheduler.ts'
import type { SigmaSpacing } from './sigma-spacing.ts'

/** The spacing that `use_karras_sigmas` and its siblings ask for, or null for the model's own. */
export function spacingOf(config: SchedulerConfig): SigmaSpacing | null {
  if (booleanOf(config, 'use_karras_sigmas')) return 'karras'
  if (booleanOf(config, 'use_exponential_sigmas')) return 'exponential'
  return booleanOf(config, 'use_beta_sigmas') ? 'beta' : null
}
