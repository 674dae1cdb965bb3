/** One level of settings, made uniform; and the merging of levels. */
import { formatPath, type SheetPath } from './faults.ts'
import type { LayerContext } from './layer-context.ts'
import type { LayerInput } from './schema.ts'
import { rowOf, SETTING_KEYS, type SettingKey, type SettingName, type Settings } from './setting-types.ts'
import type { SheetPreviews } from './setting-values.ts'
import type { SettingOrigins } from './sheet.ts'

/** A level: what it sets, and which settings it takes back to absent (`null` in the sheet). */
export interface Layer {
  readonly settings: Settings
  readonly unset: readonly SettingName[]
  readonly origins: SettingOrigins
  /** `previews: true`: on, and a lower `method: none` does not count. */
  readonly previewsOn: boolean
  /** `scheduler` names one, so that lower overrides are dropped. */
  readonly schedulerReplaced: boolean
}

export interface Merged {
  readonly settings: Settings
  readonly origins: SettingOrigins
}

export const EMPTY: Merged = { settings: {}, origins: {} }

/**
 * @param pathOf place of a key's value in the sheet
 */
export function readLayer(
  input: LayerInput,
  pathOf: (key: SettingKey) => SheetPath,
  context: LayerContext,
): Layer {
  const unset: SettingName[] = []
  const origins: Record<string, SheetPath> = {}
  const settings: Record<string, unknown> = {}
  for (const key of SETTING_KEYS) {
    const given = input[key]
    if (given === undefined) continue
    const { name, read, deprecatedFor } = rowOf(key)
    if (given === null) {
      unset.push(name)
      continue
    }
    const path = pathOf(key)
    origins[name] = path
    if (deprecatedFor !== undefined && settings[name] !== undefined) {
      const message = `${formatPath(path.slice(0, -1))} has both ${deprecatedFor} and ${key}.`
      context.faults.add(
        'E_STRENGTH_TWICE',
        context.doc.locate(path, 'key'),
        message,
        `Keep ${deprecatedFor} alone.`,
      )
      continue
    }
    // The schema has seen to it that the value is what the row reads.
    const value = read === undefined ? given : read(given as never, { path, context })
    if (value !== undefined) settings[name] = value
  }
  const { scheduler, previews } = input
  return {
    settings,
    unset,
    origins,
    previewsOn: previews === true,
    schedulerReplaced: typeof scheduler === 'string' || typeof scheduler?.name === 'string',
  }
}

/** `base` with `layer` laid over it. `scheduler` and `previews` maps merge key by key. */
export function mergeLayer(base: Merged, layer: Layer): Merged {
  const settings: { -readonly [Name in SettingName]?: Settings[Name] } = {
    ...base.settings,
    ...layer.settings,
  }
  const origins = { ...base.origins, ...layer.origins }
  const { scheduler, previews } = layer.settings
  if (scheduler && !layer.schedulerReplaced && base.settings.scheduler) {
    const { name, config } = base.settings.scheduler
    settings.scheduler = { name, config: { ...config, ...scheduler.config } }
  }
  if (previews) settings.previews = mergePreviews(base.settings.previews, previews, layer.previewsOn)
  for (const name of layer.unset) {
    delete settings[name]
    delete origins[name]
  }
  return { settings, origins }
}

function mergePreviews(
  base: SheetPreviews | false | undefined,
  upper: SheetPreviews,
  turnOn: boolean,
): SheetPreviews {
  const merged = { ...(base || {}), ...upper }
  return turnOn && merged.method === 'none' ? { ...merged, method: undefined } : merged
}
