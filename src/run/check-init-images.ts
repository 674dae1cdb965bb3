/** Init images before any model loads: each is decoded once; those behind URLs are fetched only where that is asked for. */
import type { Layout } from '../artifacts/layout.ts'
import { readLedger } from '../artifacts/ledger.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors, type SourceLocation } from '../errors.ts'
import { type Unit, unitName } from '../plan/unit.ts'
import type { SelectOptions } from './options.ts'

export interface CheckedImages {
  /** sha-256 of a unit's image: of its bytes, or, unfetched, as it was when the unit was drawn; undefined: unknown. */
  readonly hashOf: (unit: Unit) => string | undefined
  /** Units whose image was not looked at. */
  readonly unchecked: ReadonlySet<Unit>
}

/** The same of last frames, by the units that have them. */
export async function checkLastImages(
  units: readonly Unit[],
  sheet: CueSheet,
  layout: Layout,
  options: SelectOptions,
): Promise<CheckedImages> {
  const asImages = new Map(
    units.flatMap((unit) => (unit.lastImage ? [[unit, { ...unit, image: unit.lastImage }] as const] : [])),
  )
  const { hashOf, unchecked } = await checkInitImages(
    [...asImages.values()],
    sheet,
    layout,
    options,
    'lastImage',
  )
  return {
    hashOf(unit) {
      const own = asImages.get(unit)
      return own && hashOf(own)
    },
    unchecked: new Set(units.filter((unit) => unchecked.has(asImages.get(unit) ?? unit))),
  }
}

/**
 * @param name whose pictures they are
 * @throws PregenErrors with the faults of all images; `E_IMAGE_NOT_FETCHED` for those that a dry run would have to fetch
 */
export async function checkInitImages(
  units: readonly Unit[],
  sheet: CueSheet,
  layout: Layout,
  options: SelectOptions,
  name: 'image' | 'lastImage' = 'image',
): Promise<CheckedImages> {
  const { allowPrivateUrls: allowPrivate, remoteImages = 'fetch', force, signal } = options
  const hashes = new Map<string, string>()
  const recorded = new Map<Unit, string>()
  const unchecked = new Set<Unit>()
  const hashOf = (unit: Unit) => recorded.get(unit) ?? hashes.get(imageKey(unit))
  if (units.every(({ image }) => image === undefined)) return { hashOf, unchecked }
  const faults = new Map<string, PregenError>()
  const isUnfetched = ({ image }: Unit) => remoteImages !== 'fetch' && isRemote(image?.source ?? '')
  // What a unit was drawn from stands in the ledger: without the network, the picture there is taken to be the same.
  const ledger = units.some(isUnfetched) ? await readLedger(layout.state.ledgerPath) : null
  // The codecs are heavy, and most sheets start from no picture.
  const { checkInitImage } = await import('../images/init-image.ts')
  for (const unit of units) {
    const key = imageKey(unit)
    if (unit.image === undefined || hashes.has(key) || faults.has(key)) continue
    if (isUnfetched(unit)) {
      unchecked.add(unit)
      const known = ledger?.units.get(layout.variantKey(unit.cue, unit.variant))?.parts[`${name}Sha256`]
      if (typeof known === 'string') recorded.set(unit, known)
      if (remoteImages === 'skip' || (typeof known === 'string' && !force)) continue
      faults.set(key, notFetched(unit, imageLocation(sheet, unit, name)))
      continue
    }
    const { width, height } = unit
    signal?.throwIfAborted()
    try {
      const { sha256 } = await checkInitImage({ ...unit.image, width, height, allowPrivate, signal })
      hashes.set(key, sha256)
    } catch (error) {
      if (!(error instanceof PregenError) || signal?.aborted) throw error
      const { help, exitCode, code, message } = error
      const placed = { help, exitCode, cause: error, location: imageLocation(sheet, unit, name) }
      faults.set(key, new PregenError(code, `${unitName(unit)}: ${message}`, placed))
    }
  }
  if (faults.size > 0) throw new PregenErrors([...faults.values()])
  return { hashOf, unchecked }
}

/** A unit that can only be drawn from a picture that this command does not fetch. */
export function notFetched(unit: Unit, location?: SourceLocation): PregenError {
  const message = `${unitName(unit)} starts from a picture on the network, which a dry run does not fetch.`
  const help = 'Give --fetch to let it, or save the picture beside the sheet and name that file.'
  return new PregenError('E_IMAGE_NOT_FETCHED', message, { help, location })
}

export function isRemote(source: string): boolean {
  return /^https?:/i.test(source)
}

/** The unit's digest was made of the bytes that were planned with: other bytes under it would be a lie. */
export function changedSincePlan(what: string): PregenError {
  return new PregenError('E_IMAGE_CHANGED', `${what} is not the one that the run was planned with.`, {
    help: 'Run the same command again: it plans with the picture that is there now.',
    exitCode: 3,
  })
}

/** Where the sheet names a unit's image. */
function imageLocation(sheet: CueSheet, unit: Unit, name: 'image' | 'lastImage'): SourceLocation | undefined {
  const cue = sheet.cues.find(({ id }) => id === unit.cue)
  const origin = cue?.variants.find(({ id }) => id === unit.variant)?.origins[name]
  return origin && sheet.locate(origin)
}

/** Units that share a source, a size and a fit share the check. */
function imageKey({ image, width, height }: Unit): string {
  return image === undefined ? '' : JSON.stringify([image.source, image.fit ?? null, width, height])
}
