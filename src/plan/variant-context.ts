/** What the checks of one variant work with, and how they report. */
import { type Faults, formatPath, type SheetPath } from '../cue-sheet/faults.ts'
import type { SettingName } from '../cue-sheet/setting-types.ts'
import type { CueSheet, SheetCue, SheetVariant } from '../cue-sheet/sheet.ts'
import type { createScheduleAccounts } from '../families/schedule.ts'
import type { ModelFacts } from './model-facts.ts'

export interface VariantContext {
  readonly sheet: CueSheet
  readonly cue: SheetCue
  readonly variant: SheetVariant
  readonly facts: ModelFacts
  readonly model: string
  readonly faults: Faults
  readonly accountFor: ReturnType<typeof createScheduleAccounts>
}

/** A fault of one setting, at the place that set it; where none did, at the variant. */
export function report(
  { variant, sheet, faults }: VariantContext,
  name: SettingName,
  { code, why, help }: { readonly code: string; readonly why: string; readonly help: string | undefined },
): void {
  const origin: SheetPath | undefined = variant.origins[name]
  const subject = origin === undefined ? `${name} of ${formatPath(variant.path)}` : formatPath(origin)
  faults.add(code, sheet.locate(origin ?? variant.path, origin ? 'value' : 'key'), `${subject} ${why}.`, help)
}
