/** Settings that change nothing, told once a place: one that stands in a program serves many units. */
import { type Faults, formatPath, quoteName, type SheetPath } from '../cue-sheet/faults.ts'
import type { CueSheet, SheetVariant } from '../cue-sheet/sheet.ts'

interface Place {
  /** Why it changes nothing in the first unit where it does not; null: it always does something. */
  unread: string | null
  variant: SheetVariant
  isRead: boolean
}

export interface SettingUse {
  /** A variant has the setting that stands at `origin`. @param unread why it changes nothing there; null: it does */
  note(origin: SheetPath, variant: SheetVariant, unread: string | null): void
  warn(sheet: CueSheet, faults: Faults): void
}

export function createSettingUse(): SettingUse {
  // By the place itself: the units of a cue share it.
  const places = new Map<SheetPath, Place>()
  return {
    note(origin, variant, unread) {
      const known = places.get(origin)
      if (known === undefined) places.set(origin, { unread, variant, isRead: unread === null })
      else if (unread === null) known.isRead = true
      else if (known.unread === null) Object.assign(known, { unread, variant })
    },
    warn(sheet, faults) {
      for (const [origin, { unread, variant, isRead }] of places) {
        // Defaults and programs may set for some units what others do not read; a cue means all of its own.
        if (unread === null || (isRead && origin[0] !== 'cues')) continue
        const where = isRead ? ` for the variant ${quoteName(variant.id)}` : ''
        const message = `${formatPath(origin)} has no effect${where}: ${unread}.`
        faults.warn('W_SETTING_UNUSED', sheet.locate(origin, 'key'), message)
      }
    },
  }
}
