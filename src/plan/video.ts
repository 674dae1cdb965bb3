/** What a variant's settings come to on a model that makes videos: frames, rate, what is given beside the text. */
import { formatPath } from '../cue-sheet/faults.ts'
import type { SettingName } from '../cue-sheet/setting-types.ts'
import { familyOf } from '../families/index.ts'
import type { VideoFacts } from './model-facts.ts'
import type { Unit } from './unit.ts'
import { report, type VariantContext } from './variant-context.ts'
import { sizeFault } from './video-cost.ts'

export type UnitVideo = Pick<
  Unit,
  'image' | 'lastImage' | 'video' | 'numFrames' | 'fps' | 'frames' | 'guidanceScale2'
>

/** How many pictures a folder holds, by its path; a folder that cannot be read is not in it. */
export type ClipLengths = ReadonlyMap<string, number>

export function planVideo(
  context: VariantContext,
  video: VideoFacts,
  clips: ClipLengths,
  size: { readonly width: number; readonly height: number },
): UnitVideo {
  const { settings } = context.variant
  checkGiven(context, video)
  checkTextLength(context, video)
  const numFrames = countFrames(context, video, clips)
  const fault = sizeFault({ ...size, numFrames }, video.cost)
  if (fault !== null) report(context, fault.setting, fault)
  // diffusers' pipelines stretch what has another aspect.
  const { fit = 'fill' } = settings
  const given = (source: string | undefined) => (source === undefined ? undefined : { source, fit })
  return {
    image: settings.video === undefined ? given(settings.image) : undefined,
    lastImage: given(settings.lastImage),
    video: given(settings.video),
    numFrames,
    fps: settings.fps ?? video.fps,
    frames: settings.frames,
    guidanceScale2: settings.guidanceScale2,
  }
}

/** 4k + 1, rounded as diffusers does. */
function countFrames(context: VariantContext, video: VideoFacts, clips: ClipLengths): number {
  const { settings, origins } = context.variant
  const { framesPerLatent: multiple } = video
  const { numFrames: asked = settings.video === undefined ? video.numFrames : undefined } = settings
  const inClip = settings.video === undefined ? undefined : clips.get(settings.video)
  const wanted = Math.min(asked ?? Number.POSITIVE_INFINITY, inClip ?? Number.POSITIVE_INFINITY)
  if (!Number.isFinite(wanted)) return 1
  // What fills no latent frame is dropped of a clip; else diffusers rounds to the multiple below, and adds one.
  const isRoundedUp = inClip === undefined && wanted % multiple !== 1
  const rounded = isRoundedUp
    ? Math.max(1, Math.floor(wanted / multiple) * multiple + 1)
    : Math.floor((wanted - 1) / multiple) * multiple + 1
  const origin = origins.numFrames
  if (rounded !== asked && asked !== undefined && origin !== undefined) {
    const message = `${formatPath(origin)} is ${asked}; ${rounded} frames are made, a multiple of ${multiple} and one.`
    context.faults.warn('W_NUM_FRAMES', context.sheet.locate(origin), message)
  }
  return rounded
}

/** Pictures that the model needs, and those that it cannot take. */
function checkGiven(context: VariantContext, { keyframes, startsFromVideo }: VideoFacts): void {
  const { variant, model } = context
  const { settings } = variant
  const unsuited = (name: SettingName, why: string, help: string) =>
    report(context, name, { code: 'E_SETTING_UNSUITED', why, help })
  if (settings.video !== undefined) {
    if (!startsFromVideo) {
      const why = `cannot be met: the model "${model}" does not draw from a video`
      unsuited('video', why, 'Video to video is for models that make videos of a text alone.')
    } else if (settings.image !== undefined) {
      unsuited('image', 'stands beside a video', 'Keep one of the two.')
    }
    return
  }
  const uses = [
    ['image', keyframes.first, 'first'],
    ['lastImage', keyframes.last, 'last'],
  ] as const
  for (const [name, use, word] of uses) {
    const key = name === 'image' ? 'image' : 'last_image'
    if (settings[name] === undefined && use === 'needed') {
      const why = `is missing: the model "${model}" makes a video from its ${word} frame`
      report(context, name, { code: 'E_NO_IMAGE', why, help: `Set ${key}, or use a model that needs none.` })
    }
    if (settings[name] !== undefined && use === 'none') {
      const why = `cannot be met: the model "${model}" takes no ${word} frame`
      unsuited(name, why, `Take ${key} away, or use a model that takes it (docs/video.md).`)
    }
  }
  if (settings.exactCopyMode === true) {
    unsuited('exactCopyMode', 'has no meaning for videos', 'Take it away.')
  }
  const { denoiseStrength: origin } = variant.origins
  if (settings.denoiseStrength !== undefined && origin?.[0] === 'cues') {
    const message = `${formatPath(origin)} has no effect: ${familyOf(context.facts.family).title} reads it with "video" alone.`
    context.faults.warn('W_SETTING_UNUSED', context.sheet.locate(origin, 'key'), message)
  }
}

function checkTextLength(context: VariantContext, { textLength }: VideoFacts): void {
  const { maxSequenceLength: asked } = context.variant.settings
  if (textLength === null || asked === undefined || asked === textLength) return
  const why = `is ${asked}; the model "${context.model}" mixes up text and picture at any length but ${textLength}`
  report(context, 'maxSequenceLength', {
    code: 'E_SEQUENCE_LENGTH',
    why,
    help: `Use ${textLength}, or leave it out.`,
  })
}
