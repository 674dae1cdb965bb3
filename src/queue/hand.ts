/** A job in hand: its units on their way from the queue to the bucket, for as long as the lease on it holds. */

import type { Job } from 'bullmq'
import type { LedgerFile } from '../artifacts/ledger.ts'
import type { ManifestAsset } from '../artifacts/manifest.ts'
import type { ErrorCode } from '../error-codes.ts'
import { PregenError } from '../errors.ts'
import { createVideoWriter } from '../media/video-writer.ts'
import { unitName } from '../plan/unit.ts'
import { decideUnits } from '../run/decide-units.ts'
import type { Delivery } from '../run/delivery.ts'
import type { EmitRunEvent, RunEventBody } from '../run/events.ts'
import { createInitImages } from '../run/init-images.ts'
import { createKeyframes } from '../run/keyframes.ts'
import { makeFilmsOnce } from '../run/make-films.ts'
import type { PreparedUnit } from '../run/prepared.ts'
import { createReferences } from '../run/reference-images.ts'
import { createSourceVideos } from '../run/source-videos.ts'
import { createUnitLife, type UnitLife, type UnitState } from '../run/unit-life.ts'
import { findInBucket } from '../run/whole-in-bucket.ts'
import type { BucketContents } from '../storage/bucket-contents.ts'
import { recordOfUnit } from '../storage/upload-folder.ts'
import { createUploader } from '../storage/uploader.ts'
import type { SheetSession } from './sheet-session.ts'
import type { Workplace } from './workplace.ts'

export interface Hand {
  readonly job: Job
  readonly token: string
  readonly session: SheetSession
  /** What is to be drawn of it; the rest is whole by now, or on its way. */
  readonly toDraw: readonly PreparedUnit[]
  readonly createLife: (entry: PreparedUnit) => UnitLife
  readonly settled: (entry: PreparedUnit, state: UnitState) => void
  /** Resolves when every unit is confirmed by the bucket (null), or with what one failed for; pending while any is to be drawn. */
  readonly outcome: Promise<PregenError | null>
  /** The lease has gone to another machine, or the worker ends: nothing more is sent. */
  readonly letGo: () => void
  readonly isLetGo: () => boolean
  /** Whether a unit of it is still to be drawn, or is being drawn. */
  readonly isUndrawn: () => boolean
  /** Units that were drawn here. */
  readonly drawn: () => number
  /** Films of them that could not be made. */
  readonly filmsFailed: () => number
}

export interface TakenJob {
  readonly job: Job
  readonly token: string
  readonly session: SheetSession
  readonly entries: readonly PreparedUnit[]
  /** Draws them though they are whole. */
  readonly force: boolean
  /** Whether the lease still holds: asked before anything is sent. */
  readonly holds: () => Promise<boolean>
  readonly onStep: (event: Extract<RunEventBody, { type: 'step' | 'unit-started' }>) => void
}

/** Looks at ledger, disk and bucket: what is whole is not drawn again, whoever drew it. */
export async function takeInHand(taken: TakenJob, workplace: Workplace): Promise<Hand> {
  const { job, token, session, force, holds, onStep } = taken
  const { ledger, engine, injection, settings } = workplace
  const { prepared, storage, unitNotifier } = session
  const letGo = new AbortController()
  // An object of its own for each making: a unit may come back to the same machine.
  const entries = taken.entries.map((entry) => ({ ...entry }))
  const local = await decideUnits({ ...prepared, units: entries }, ledger, force)
  const asked = local.map((decision) => ({ ...decision, action: 'run', reason: 'new' }) as const)
  const found = await findInBucket({ ...prepared, units: entries }, asked, storage, { signal: letGo.signal })
  for (const warning of found.warnings) workplace.warn(warning)

  let failure: PregenError | null = null
  let drawn = 0
  let filmsFailed = 0
  const open = new Set<PreparedUnit>(entries)
  const undrawn = new Set<PreparedUnit>()
  let conclude: (error: PregenError | null) => void = () => undefined
  const outcome = new Promise<PregenError | null>((resolve) => {
    conclude = resolve
  })
  const close = (entry: PreparedUnit, error: PregenError | null = null) => {
    failure ??= error
    undrawn.delete(entry)
    open.delete(entry)
    if (open.size === 0) conclude(failure)
  }
  const faults = new Map<string, PregenError>()
  const emit: EmitRunEvent = (event, happenedAt) => {
    workplace.emit(event, happenedAt)
    if (event.type === 'unit-failed') faults.set(unitName(event), faultOf(event))
    if (event.type === 'step' || event.type === 'unit-started') onStep(event)
  }
  const send = async (entry: PreparedUnit, files: readonly LedgerFile[]): Promise<boolean> => {
    if (letGo.signal.aborted || !(await holds())) return false
    const { key, unit } = entry
    const uploader = createUploader({
      ...{ storage, ledger, emit, concurrency: settings.concurrency, prefix: prepared.layout.prefix },
      contents: ofTheseAlone(found.contents),
      ...{ hasRecords: true, signal: letGo.signal },
    })
    const folder = prepared.layout.variantFolder(unit.cue, unit.variant)
    const sent = uploader.add({ key, folder, files, record: recordOfUnit(ledger, { key, files }) })
    await uploader.drain()
    return await sent
  }
  /**
   * Before the unit itself: what is whole in the bucket nobody takes in hand again. One that cannot be made costs nothing else.
   * @returns whether the bucket has what there is to send
   */
  const sendFilm = async (entry: PreparedUnit): Promise<boolean> => {
    const { film } = entry.unit
    if (film === undefined || film.format === 'frames' || !(await holds())) return true
    const options = { signal: letGo.signal }
    const making = { prepared: { ...prepared, units: [entry] }, options, ledger, storage, emit }
    const films = await workplace.filming(() => makeFilmsOnce(making))
    filmsFailed += films.failed
    return films.uploadsFailed === 0
  }
  const tell = async (asset: ManifestAsset | undefined, isComplete: boolean): Promise<void> => {
    if (unitNotifier === null || asset === undefined) return
    await unitNotifier.post(prepared.version, isComplete ? 'completed' : 'partial', [asset])
  }
  const deliver = async (
    entry: PreparedUnit,
    files: readonly LedgerFile[],
    asset?: ManifestAsset,
    isComplete = true,
  ) => {
    undrawn.delete(entry)
    const isSent = (await sendFilm(entry)) && (await send(entry, files))
    if (isSent) await tell(asset, isComplete)
    if (isSent && isComplete) close(entry)
    else close(entry, faults.get(unitName(entry.unit)) ?? notSent(entry, isSent))
    return isSent
  }
  const deliveryOf = (entry: PreparedUnit): Delivery => ({
    owesCalls: false,
    deliver: (_, files, asset, isComplete) => deliver(entry, files, asset, isComplete),
  })

  const toDraw: PreparedUnit[] = []
  for (const [place, { action, entry }] of found.decisions.entries()) {
    const { cue, variant } = entry.unit
    const recorded = ledger.units.get(entry.key)
    if (action === 'skip' && !force) {
      emit({ type: 'unit-skipped', cue, variant, reason: 'whole in the bucket' })
      close(entry)
    } else if (local[place]?.action === 'skip' && recorded !== undefined) {
      emit({ type: 'unit-skipped', cue, variant, reason: 'complete' })
      void deliver(entry, recorded.files, recorded.asset)
    } else {
      toDraw.push(entry)
      undrawn.add(entry)
    }
  }
  const { allowPrivateUrls } = settings
  const services = {
    ...{ layout: prepared.layout, ledger, emit, warn: workplace.warn, injection },
    initImages: createInitImages(allowPrivateUrls, 'fetch', letGo.signal),
    references: createReferences(allowPrivateUrls, 'fetch', letGo.signal),
    keyframes: createKeyframes(allowPrivateUrls, 'fetch', letGo.signal),
    sourceVideos: createSourceVideos(workplace.stateFolder),
    openVideo: createVideoWriter,
    previewDecoder: engine.previewDecoder,
    publicUrl: prepared.sheet.storage?.publicUrl,
    liveFile: false,
  }
  return {
    ...{ job, token, session, toDraw, outcome },
    createLife(entry) {
      const model = prepared.models.get(entry.unit.model)
      if (model === undefined) throw new Error(`model ${entry.unit.model} was planned but not prepared`)
      return createUnitLife({ ...services, delivery: deliveryOf(entry) }, model, entry)
    },
    settled(entry, state) {
      if (state !== 'failed') drawn++
      // A unit without all its step pictures has failed, and is on its way all the same.
      else if (faults.get(unitName(entry.unit))?.code !== 'E_PREVIEWS_INCOMPLETE')
        close(entry, faults.get(unitName(entry.unit)) ?? notSent(entry, false))
    },
    letGo: () => letGo.abort(),
    isLetGo: () => letGo.signal.aborted,
    isUndrawn: () => undrawn.size > 0,
    drawn: () => drawn,
    filmsFailed: () => filmsFailed,
  }
}

/** What was listed is all that is asked about: nothing else of the version is listed for it. */
function ofTheseAlone(contents: BucketContents | undefined): BucketContents | undefined {
  return contents && { ...contents, isWhole: true }
}

function faultOf(event: Extract<RunEventBody, { type: 'unit-failed' }>): PregenError {
  const { code, stage, message, help } = event
  // What a unit failed with is one of pregen's own.
  return new PregenError(code as ErrorCode, `${unitName(event)}: ${stage}: ${message}`, { help, exitCode: 3 })
}

function notSent({ unit }: PreparedUnit, isSent: boolean): PregenError {
  const what = isSent ? 'a step picture is missing' : 'it could not be sent to the bucket'
  return new PregenError('E_QUEUE_NOT_SENT', `${unitName(unit)}: ${what}.`, {
    help: 'It is tried again, on another machine where there is one.',
    exitCode: 3,
  })
}
