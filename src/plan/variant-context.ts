/** What judging one variant needs, and how its faults are told: at the place that set what is wrong. */

import { type Faults, formatPath, quoteName, quoteWritten, type SheetPath } from '../cue-sheet/faults.ts'
import type { SettingName } from '../cue-sheet/setting-types.ts'
import type { CueSheet, SheetCue, SheetVariant } from '../cue-sheet/sheet.ts'
import type { ErrorCode } from '../error-codes.ts'
import type { createScheduleAccounts } from '../families/schedule.ts'
import type { ModelFacts } from './model-facts.ts'
import type { SettingUse } from './setting-use.ts'

export interface VariantContext {
  readonly sheet: CueSheet
  readonly cue: SheetCue
  readonly variant: SheetVariant
  readonly facts: ModelFacts
  readonly model: string
  readonly faults: Faults
  readonly accountFor: ReturnType<typeof createScheduleAccounts>
  readonly use: SettingUse
  /** Faults that were told, without the variant that they were found in. */
  readonly reported: Set<string>
  /** Places of `previews` that variants of models for videos read. */
  readonly forVideos: ReadonlySet<string>
}

interface SettingFault {
  readonly code: ErrorCode
  /** Goes on after the name of the setting. */
  readonly why: string
  readonly help: string | undefined
}

/** A fault of one setting, at the place that set it; where none did, at the variant. */
export function report(context: VariantContext, name: SettingName, { code, why, help }: SettingFault): void {
  const { variant, sheet, faults, reported } = context
  const { path, origins } = variant
  const origin: SheetPath | undefined = origins[name]
  // The cells of a matrix share a place: the first that a fault is of names it.
  const key = `${code} ${name} ${formatPath(origin ?? path)} ${why}`
  if (reported.has(key)) return
  reported.add(key)
  const isMade = path[2] === 'matrix' || path[2] === 'rows'
  const which = isMade && origin?.[2] !== path[2] ? ` (variant ${quoteName(variant.id)})` : ''
  const subject =
    origin === undefined ? `${name} of ${formatPath(path)}` : nameOfSetting(origin, context, why)
  faults.add(code, sheet.locate(origin ?? path, origin ? 'value' : 'key'), `${subject}${which} ${why}.`, help)
}

/** `cues.c.matrix.width[1] ("96")`: a cell's place says nothing without its value. @param rest what follows may have it */
export function nameOfSetting(
  origin: SheetPath,
  { sheet }: Pick<VariantContext, 'sheet'>,
  rest = '',
): string {
  const written = origin[2] === 'matrix' ? sheet.written(origin) : undefined
  if (written === undefined || rest.includes(written)) return formatPath(origin)
  return `${formatPath(origin)} (${quoteWritten(written)})`
}
