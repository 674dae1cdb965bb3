/** Reference pictures against the sizes that a model's export has built in. */
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { PregenError } from '../errors.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import { type Unit, unitName } from '../plan/unit.ts'
import { type CheckedReferences, referenceLocation } from './reference-images.ts'

/** @param facts by model id. @returns one fault a picture or unit that there is no room for */
export function findReferenceFaults(
  units: readonly Unit[],
  sheet: CueSheet,
  facts: Readonly<Record<string, ModelFacts>>,
  references: CheckedReferences,
): PregenError[] {
  const faults = new Map<string, PregenError>()
  for (const unit of units) {
    const sizes = references.sizesOf(unit)
    const { fixed, sizeMultiple } = facts[unit.model] ?? {}
    if (sizes === undefined || fixed === undefined || sizeMultiple === undefined) continue
    const add = (index: number, what: string, help: string): void => {
      const location = referenceLocation(sheet, unit, index)
      const key = `${location?.line}:${location?.column} ${what}`
      if (faults.has(key)) return
      faults.set(key, new PregenError('E_FIXED_SHAPE', `${unitName(unit)}: ${what}.`, { help, location }))
    }
    const cropped = (side: number): number => Math.floor(side / sizeMultiple) * sizeMultiple
    const { width, height } = fixed.reference
    for (const [index, size] of sizes.entries()) {
      const own = { width: cropped(size.width), height: cropped(size.height) }
      if ((width ?? own.width) === own.width && (height ?? own.height) === own.height) continue
      const wanted = `${width ?? 'any'} × ${height ?? 'any'}`
      const what = `a reference picture comes to ${own.width} × ${own.height}; the model "${unit.model}" was exported to look at ${wanted} alone`
      add(index, what, `Bring it to ${wanted}, or export the model with free sizes.`)
    }
    if (fixed.imageTokens === null) continue
    const tokensOf = (size: { width: number; height: number }): number =>
      (cropped(size.width) * cropped(size.height)) / sizeMultiple ** 2
    const all = [unit, ...sizes].reduce((sum, size) => sum + tokensOf(size), 0)
    if (all === fixed.imageTokens) continue
    const what = `picture and reference pictures make ${all} tokens; the model "${unit.model}" was exported for ${fixed.imageTokens}`
    const area = `A token is ${sizeMultiple} × ${sizeMultiple} pixels`
    add(0, what, `${area}: take sizes that make ${fixed.imageTokens}, or export the model with free sizes.`)
  }
  return [...faults.values()]
}
