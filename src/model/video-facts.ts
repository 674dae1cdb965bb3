/** What planning must know of a folder that makes videos. */
import type { VideoRules } from '../families/family.ts'
import { type ModelView, numberIn } from '../families/model-view.ts'
import type { VideoFacts } from '../plan/model-facts.ts'
import type { ModelFolder } from './folder.ts'
import { viewOf } from './view.ts'
import { readVisionFacts } from './vision-config.ts'

export function videoFacts(folder: ModelFolder, rules: VideoRules): VideoFacts {
  const view = viewOf(folder)
  return {
    ...rules.defaults(view),
    framesPerLatent: rules.framesPerLatent(view),
    keyframes: rules.keyframes(view),
    startsFromVideo: rules.startsFromVideo(view),
    textLength: rules.textLength(view),
    vision: visionOf(folder, view),
  }
}

function visionOf({ path, components }: ModelFolder, view: ModelView): VideoFacts['vision'] {
  if (components.image_encoder === undefined) return null
  return readVisionFacts(path, numberIn(view, 'image_encoder', 'image_size') ?? 224)
}
