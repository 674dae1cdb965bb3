/** Videos that a sheet asks for, before anything loads: an encoder is not everywhere, and an animated picture holds only so many frames. */
import { outputKindOf } from '../artifacts/file-names.ts'
import type { SettingName } from '../cue-sheet/setting-types.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import type { OutputVideoFormat } from '../media/video-formats.ts'
import { type Unit, unitName } from '../plan/unit.ts'

/** @throws PregenErrors `E_NO_ENCODER` for each format that nothing here encodes, `E_ANIMATION_TOO_LARGE`: at the first unit that wants it */
export async function checkEncoders(units: readonly Unit[], sheet: CueSheet): Promise<void> {
  const wanted = new Map<OutputVideoFormat, Unit[]>()
  for (const unit of units) {
    const { encoder } = outputKindOf(unit.output)
    if (encoder !== undefined) wanted.set(encoder, [...(wanted.get(encoder) ?? []), unit])
  }
  if (wanted.size === 0) return
  const faults: PregenError[] = []
  const { missingEncoder } = await import('../media/video-writer.ts')
  for (const [format, [first]] of wanted) {
    const missing = await missingEncoder(format)
    if (missing) faults.push(placed(missing, first!, 'videoFormat', sheet))
  }
  const animated = wanted.get('webp') ?? []
  if (animated.length > 0) {
    const { animationFault } = await import('../media/animation.ts')
    for (const unit of animated) {
      const fault = animationFault(unit.numFrames ?? 1, unit)
      if (fault) faults.push(placed(fault, unit, 'numFrames', sheet))
    }
  }
  if (faults.length > 0) throw new PregenErrors(faults)
}

/** At the setting that asks for it, or at the variant where it is a default. */
function placed(fault: PregenError, unit: Unit, setting: SettingName, sheet: CueSheet): PregenError {
  const { code, message, help } = fault
  const variant = sheet.cues.find(({ id }) => id === unit.cue)?.variants.find(({ id }) => id === unit.variant)
  const origin = variant?.origins[setting] ?? variant?.path
  return new PregenError(code, `${unitName(unit)}: ${message}`, {
    help,
    location: origin && sheet.locate(origin),
  })
}
