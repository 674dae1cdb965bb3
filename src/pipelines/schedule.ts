/** The noise schedule of one batch. */
import { openSchedule, type Schedule } from '../families/schedule.ts'
import { sizeMultiple } from '../model/facts.ts'
import { folderSchedulerConfig, type ModelFolder } from '../model/folder.ts'
import type { GenerateRequest } from './pipeline.ts'

/** @throws PregenError E_NO_STEPS, E_SCHEDULER_UNSUITED; whatever the scheduler refuses */
export function prepareSchedule(folder: ModelFolder, request: GenerateRequest): Schedule {
  const { scheduler, steps, width, height, initImage, denoiseStrength } = request
  return openSchedule({
    family: folder.family,
    folderConfig: folderSchedulerConfig(folder),
    scheduler,
    steps,
    strength: initImage === undefined ? undefined : (denoiseStrength ?? 1),
    imageTokens: (width * height) / sizeMultiple(folder) ** 2,
  })
}
