/**
 * One unit's life, and the only place that changes its state:
 *
 * queued → drawing → writing → recorded → sent, or failed at a named stage; from drawing back to queued when its device
 * died, or its batch failed and it is drawn alone.
 *
 * It owns the unit's step pictures, its writer, its timing and its events.
 */
import { join } from 'node:path'
import { outputKindOf } from '../artifacts/file-names.ts'
import type { Layout } from '../artifacts/layout.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { makeFolderInside } from '../artifacts/output-folder.ts'
import { encodeThumbnail } from '../artifacts/thumbnail.ts'
import { timingOf } from '../artifacts/timing.ts'
import { createVariantWriter, type VariantWriter } from '../artifacts/variant-writer.ts'
import { pickSettings } from '../cue-sheet/setting-types.ts'
import { collectYoung } from '../engine/collect-young.ts'
import type { DrawnPicture, JobPreviews, PictureJob, PictureNotice } from '../engine/inference-calls.ts'
import { type Injection, writeHookOf } from '../engine/injection.ts'
import { PregenError } from '../errors.ts'
import type { DecodePictures } from '../preview/decoder.ts'
import { createAsset, parametersOf } from './asset.ts'
import type { Delivery } from './delivery.ts'
import { describeFailure } from './describe-failure.ts'
import type { EmitRunEvent } from './events.ts'
import { createFrameSink, type FrameSinkOptions } from './frame-sink.ts'
import type { InitImages, UnitPixels } from './init-images.ts'
import type { Keyframes } from './keyframes.ts'
import { createLiveFile } from './live-file.ts'
import type { PreparedModel, PreparedUnit, PrepareWarning } from './prepared.ts'
import { promptJobOf } from './prompt-key.ts'
import type { References } from './reference-images.ts'
import type { SourceVideos } from './source-videos.ts'
import { createStepPictures, jobPreviewsOf, rendererOf, type StepPictures } from './step-pictures.ts'

export type UnitState = 'queued' | 'drawing' | 'writing' | 'recorded' | 'sent' | 'failed'

const NEXT: Readonly<Record<UnitState, readonly UnitState[]>> = {
  queued: ['drawing', 'failed'],
  drawing: ['queued', 'writing', 'failed'],
  writing: ['recorded', 'failed'],
  // A unit without all its step pictures is recorded and sent, and has failed all the same.
  recorded: ['sent', 'failed'],
  sent: [],
  failed: [],
}

/** What the units of a run share. */
export interface UnitServices {
  readonly layout: Layout
  readonly ledger: Ledger
  readonly emit: EmitRunEvent
  /** Tells a warning once. */
  readonly warn: (warning: PrepareWarning) => void
  readonly injection: Injection
  readonly initImages: InitImages
  readonly references: References
  readonly keyframes: Keyframes
  readonly sourceVideos: SourceVideos
  readonly openVideo: FrameSinkOptions['openVideo']
  readonly delivery: Delivery
  readonly previewDecoder: (path: string, channels: number) => DecodePictures
  /** Base of absolute asset URLs; undefined: relative ones. */
  readonly publicUrl: string | undefined
  readonly liveFile: boolean
}

export interface UnitLife {
  readonly entry: PreparedUnit
  readonly state: () => UnitState
  /** Times that drawing was begun. */
  readonly beginnings: () => number
  /**
   * Makes the unit ready for drawing, or fails it (a folder that cannot be made, an image that went away). An earlier
   * making of it is not touched yet: units are made ready ahead of their turn.
   * @returns whether it is ready
   */
  readonly prepare: (provider: string) => Promise<boolean>
  /** What a device is asked for, once it is prepared. */
  readonly job: () => PictureJob
  /** What a device tells of it. The promise is one of taking a preview, and never rejects. */
  readonly takeNotice: (notice: PictureNotice, device: string) => void | Promise<void>
  /**
   * Writes what was drawn, records and sends it; whatever goes wrong fails this unit alone.
   * @param promptMs time that encoding its prompts took, where it was the first to need them
   * @param batchSize pictures that were drawn together: each bears its share of their time
   */
  readonly finish: (picture: DrawnPicture, promptMs: number, batchSize: number) => Promise<void>
  /** Drawing is given up and will begin again, with these words. */
  readonly giveBack: (why: string) => Promise<void>
  readonly fail: (stage: string, reason: unknown) => Promise<void>
  /** Leaves it where it is: the run was cancelled. */
  readonly abandon: () => Promise<void>
}

export function createUnitLife(services: UnitServices, model: PreparedModel, entry: PreparedUnit): UnitLife {
  const { layout, ledger, emit, injection, delivery } = services
  const { unit, key, digest, parts, index } = entry
  const { cue, variant } = unit
  const output = outputKindOf(unit.output)
  const onPoint = writeHookOf(injection)
  let state: UnitState = 'queued'
  let beginnings = 0
  let begunAt = 0
  let whyAgain = ''
  let pixels: UnitPixels = { initImage: undefined }
  let references: PictureJob['references']
  let keyframes: PictureJob['keyframes']
  let sourceVideo: PictureJob['sourceVideo']
  let previews: JobPreviews | null = null
  let pictures: StepPictures | null = null
  let opened: Promise<VariantWriter> | undefined

  const moveTo = (next: UnitState): void => {
    if (!NEXT[state].includes(next)) throw new Error(`${cue}/${variant} cannot go from ${state} to ${next}`)
    state = next
  }
  const openWriter = async (): Promise<VariantWriter> => {
    // Forgotten before a file is touched: a run that dies in between leaves nothing that looks whole.
    await ledger.forgetUnit(key)
    const folder = layout.variantFolder(cue, variant)
    return await createVariantWriter({ out: layout.out, folder, output, onPoint })
  }
  const writer = (): Promise<VariantWriter> => {
    if (opened) return opened
    opened = openWriter()
    // Told when the unit finishes; until then a failure here is no unhandled rejection.
    opened.catch(() => undefined)
    return opened
  }
  const sink =
    output.encoder !== undefined
      ? createFrameSink({
          writer,
          format: output.encoder,
          openVideo: services.openVideo,
          fps: unit.fps ?? 1,
          keepsFrames: unit.frames === true,
        })
      : null
  const begin = (device: string): void => {
    moveTo('drawing')
    beginnings++
    if (beginnings > 1) {
      emit({ type: 'unit-restarted', cue, variant, reason: whyAgain, device })
      return
    }
    begunAt = performance.now()
    // What an earlier run made stands until now.
    void writer()
    const { program, seed, executedSteps: steps } = unit
    emit({ type: 'unit-started', cue, variant, program, seed: String(seed), steps, device })
  }
  const fail = async (stage: string, reason: unknown): Promise<void> => {
    moveTo('failed')
    await pictures?.close()
    await sink?.abandon()
    await services.sourceVideos.release(entry)
    emit({ type: 'unit-failed', cue, variant, ...describeFailure(stage, reason) })
  }
  const writeFiles = async ({ image, stepDurationsMs, decodeMs }: DrawnPicture, promptMs: number) => {
    const { rgb, width, height } = image
    const into = await writer()
    const encodeFrom = performance.now()
    const metadata = unit.embedMetadata ? parametersOf(entry, model) : undefined
    const final = await output.encode(image, metadata)
    if (sink !== null) await sink.end()
    const encodeMs = performance.now() - encodeFrom
    await (sink === null ? into.writeFinal(final) : into.writePoster(final))
    if (unit.thumbnail) await into.writeThumbnail(await encodeThumbnail(rgb, width, height))
    await pictures?.settle()
    const [first = 0, ...others] = stepDurationsMs
    const isTimed = unit.previews !== null && pictures?.areWhole() === true
    const timing = isTimed ? timingOf([first + promptMs, ...others], decodeMs + encodeMs) : null
    return await into.finish(timing)
  }
  const record = async (picture: DrawnPicture, promptMs: number, batchSize: number): Promise<void> => {
    const files = await writeFiles(picture, promptMs)
    await pictures?.close()
    const durationMs = performance.now() - begunAt
    const complete = pictures?.areWhole() !== false
    injection.reach('before-ledger')
    const steps = picture.stepDurationsMs.length
    const sharedMs = picture.stepDurationsMs.reduce((sum, ms) => sum + ms, 0) + picture.decodeMs
    const drawnMs = promptMs + sharedMs / batchSize
    const asset = createAsset(services, entry, model, { files, drawnMs })
    const callbackOwed = delivery.owesCalls || undefined
    await ledger.recordUnit(key, {
      digest,
      parts,
      files,
      complete,
      durationMs: drawnMs,
      steps,
      asset,
      callbackOwed,
    })
    moveTo('recorded')
    void delivery.deliver(key, files, asset, complete).then((isSent) => {
      if (isSent && state === 'recorded') moveTo('sent')
    })
    if (!complete) {
      const help = 'Run the sheet again, which mends the unit.'
      const kept = 'A preview failed; the final picture is kept.'
      return await fail('preview', new PregenError('E_PREVIEWS_INCOMPLETE', kept, { help }))
    }
    const folder = layout.variantFolder(cue, variant)
    const paths = files.map(({ name }) => join(folder, name))
    emit({ type: 'unit-finished', cue, variant, files: paths, durationMs: Math.round(durationMs) })
  }

  return {
    entry,
    state: () => state,
    beginnings: () => beginnings,
    async prepare(provider) {
      try {
        const isVideo = sink !== null
        pixels = isVideo ? { initImage: undefined } : await services.initImages.load(entry)
        keyframes = isVideo ? await services.keyframes.load(entry, model) : undefined
        sourceVideo = await services.sourceVideos.load(entry)
        references = await services.references.load(entry, model)
        // A folder that cannot be made is told before anything is drawn for it.
        await makeFolderInside(layout.out, layout.variantFolder(cue, variant))
        previews = jobPreviewsOf(unit, provider)
        const renderer = await rendererOf(unit, model, previews, services.previewDecoder)
        const path = layout.state.livePreviewPath(cue, variant)
        const liveFile = services.liveFile
          ? createLiveFile({ out: layout.out, path, warn: services.warn, onPoint })
          : null
        pictures ??= createStepPictures({ unit, writer, renderer, liveFile, emit, injection })
        return true
      } catch (error) {
        await fail('prepare', error)
        return false
      }
    },
    job() {
      return {
        ...pickSettings('picture', unit),
        unit: index,
        promptKey: promptJobOf(unit).key,
        ...pixels,
        references,
        keyframes,
        sourceVideo,
        previews,
      }
    },
    takeNotice(notice, device) {
      switch (notice.type) {
        case 'started':
          return begin(device)
        case 'step': {
          const { step, steps, durationMs, endedAt, shown } = notice
          const event = { cue, variant, step, steps, durationMs: Math.round(durationMs), device }
          emit({ type: 'step', ...event }, new Date(endedAt))
          return shown && pictures?.takeLatents(step, shown.data, shown.dims)
        }
        case 'frame': {
          const { frame, frames, image } = notice
          emit({ type: 'frame', cue, variant, frame, frames })
          return sink?.write(frame, image)
        }
        case 'preview':
          return pictures?.takePreview(notice.step, notice.image, notice.frames)
        case 'preview-failed':
          return pictures?.noteFailure(notice.step, notice.error.message)
      }
    },
    async finish(picture, promptMs, batchSize) {
      try {
        moveTo('writing')
        await services.sourceVideos.release(entry)
        await record(picture, promptMs, batchSize)
      } catch (error) {
        await fail('write', error)
      }
      collectYoung()
    },
    async giveBack(why) {
      await pictures?.restart()
      await sink?.abandon()
      if (state !== 'drawing') return
      whyAgain = why
      moveTo('queued')
    },
    fail,
    async abandon() {
      await pictures?.close()
      await sink?.abandon()
      await services.sourceVideos.release(entry)
    },
  }
}
