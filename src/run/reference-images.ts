/** Reference pictures: looked at before the run, and loaded again when their unit's turn comes. */
import type { Layout } from '../artifacts/layout.ts'
import { readLedger } from '../artifacts/ledger.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import type { PictureJob } from '../engine/inference-calls.ts'
import { PregenError, PregenErrors, type SourceLocation } from '../errors.ts'
import type { ImageSize } from '../images/image-size.ts'
import { type Unit, unitName } from '../plan/unit.ts'
import { changedSincePlan, isRemote, notFetched } from './check-init-images.ts'
import type { SelectOptions } from './options.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'

type ReferencePicture = NonNullable<PictureJob['references']>[number]
type Hashes = readonly (string | null)[]

export interface CheckedReferences {
  /** sha-256 of each of a unit's references; undefined: it has none. */
  readonly hashesOf: (unit: Unit) => Hashes | undefined
  /** Of each of a unit's references, before it is cropped for a model; undefined where one was not looked at. */
  readonly sizesOf: (unit: Unit) => readonly ImageSize[] | undefined
  /** Units of which one was not looked at. */
  readonly unchecked: ReadonlySet<Unit>
}

/** @throws PregenErrors with the faults of all of them; `E_IMAGE_NOT_FETCHED` as for init images */
export async function checkReferences(
  units: readonly Unit[],
  sheet: CueSheet,
  layout: Layout,
  options: SelectOptions,
): Promise<CheckedReferences> {
  const { allowPrivateUrls: allowPrivate, remoteImages = 'fetch', force, signal } = options
  const hashes = new Map<Unit, Hashes>()
  const unchecked = new Set<Unit>()
  const withReferences = units.filter(({ images }) => images !== undefined)
  const none = { hashesOf: () => undefined, sizesOf: () => undefined, unchecked }
  if (withReferences.length === 0) return none
  const isUnfetched = (source: string) => remoteImages !== 'fetch' && isRemote(source)
  const ledger = withReferences.some(({ images = [] }) => images.some(isUnfetched))
    ? await readLedger(layout.state.ledgerPath)
    : null
  const { loadReferenceImage } = await import('../images/reference-image.ts')
  const found = new Map<string, ImageSize & { readonly sha256: string }>()
  const faults = new Map<string, PregenError>()
  for (const unit of withReferences) {
    const recorded = ledger?.units.get(layout.variantKey(unit.cue, unit.variant))?.parts.imagesSha256
    const known = Array.isArray(recorded) ? recorded : []
    const own: (string | null)[] = []
    for (const [index, source] of (unit.images ?? []).entries()) {
      if (isUnfetched(source)) {
        unchecked.add(unit)
        const hash = known[index]
        own.push(typeof hash === 'string' ? hash : null)
        if (remoteImages === 'skip' || (typeof hash === 'string' && !force)) continue
        faults.set(source, notFetched(unit, referenceLocation(sheet, unit, index)))
        continue
      }
      if (!found.has(source) && !faults.has(source)) {
        signal?.throwIfAborted()
        try {
          const request = { source, multiple: 1, allowPrivate, signal }
          const { sha256, width, height } = await loadReferenceImage(request)
          found.set(source, { sha256, width, height })
        } catch (error) {
          if (!(error instanceof PregenError) || signal?.aborted) throw error
          const { help, exitCode, code, message } = error
          const location = referenceLocation(sheet, unit, index)
          const text = `${unitName(unit)}: ${message}`
          faults.set(source, new PregenError(code, text, { help, exitCode, cause: error, location }))
        }
      }
      own.push(found.get(source)?.sha256 ?? null)
    }
    hashes.set(unit, own)
  }
  if (faults.size > 0) throw new PregenErrors([...faults.values()])
  const sizesOf = ({ images = [] }: Unit) => {
    const sizes = images.flatMap((source) => found.get(source) ?? [])
    return sizes.length === images.length && sizes.length > 0 ? sizes : undefined
  }
  return { hashesOf: (unit) => hashes.get(unit), sizesOf, unchecked }
}

export function referenceLocation(sheet: CueSheet, unit: Unit, index: number): SourceLocation | undefined {
  const cue = sheet.cues.find(({ id }) => id === unit.cue)
  const origin = cue?.variants.find(({ id }) => id === unit.variant)?.origins.images
  return origin && sheet.locate([...origin, index])
}

export interface References {
  /** @throws PregenError `E_IMAGE_CHANGED`, `E_IMAGE_…` */
  readonly load: (
    entry: PreparedUnit,
    model: PreparedModel,
  ) => Promise<readonly ReferencePicture[] | undefined>
}

export function createReferences(
  allowPrivate: boolean,
  remoteImages: 'fetch' | 'refuse' | 'skip' = 'fetch',
  signal?: AbortSignal,
): References {
  // Neighbours in a sheet mostly share their pictures: the last ones are kept.
  let last: { readonly key: string; readonly hashes: Hashes; readonly pictures: ReferencePicture[] } | null =
    null
  return {
    async load({ unit, parts }, { facts: { sizeMultiple: multiple } }) {
      const { images } = unit
      if (images === undefined) return undefined
      if (remoteImages !== 'fetch' && images.some(isRemote)) throw notFetched(unit)
      const key = JSON.stringify([images, multiple])
      if (last?.key !== key) {
        const { loadReferenceImage } = await import('../images/reference-image.ts')
        const { toModelInput } = await import('../images/model-input.ts')
        const pictures: ReferencePicture[] = []
        const hashes: string[] = []
        for (const source of images) {
          const loaded = await loadReferenceImage({ source, multiple, allowPrivate, signal })
          const { width, height, sha256 } = loaded
          pictures.push({ pixels: toModelInput(loaded), width, height })
          hashes.push(sha256)
        }
        last = { key, hashes, pictures }
      }
      if (JSON.stringify(last.hashes) !== JSON.stringify(parts.imagesSha256))
        throw changedSincePlan('A reference picture')
      return last.pictures
    },
  }
}
