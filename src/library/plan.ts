/** `plan`: what `render` would do, and why, without doing it. */
import { type PlanReport, planSheet } from '../tasks/plan-sheet.ts'
import { type RenderOptions, type SheetObject, toRunOptions } from './render.ts'

/** @throws PregenError with every fault of sheet, models and images in `errors` */
export function plan(sheet: string | SheetObject, options: RenderOptions = {}): Promise<PlanReport> {
  return planSheet(toRunOptions(sheet, options))
}
