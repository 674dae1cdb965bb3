/** Init images before any model loads: each is decoded once; those behind URLs are fetched only where that is asked for. */
import type { Layout } from '../artifacts/layout.ts'
import { readLedger } from '../artifacts/ledger.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors, type SourceLocation } from '../errors.ts'
import { type InitImage, type Unit, unitName } from '../plan/unit.ts'
import type { SelectOptions } from './options.ts'
import type { PrepareWarning } from './prepared.ts'

export interface CheckedImages {
  /** sha-256 of a unit's image: of its bytes, or, unfetched, as it was when the unit was drawn; undefined: unknown. */
  readonly hashOf: (unit: Unit) => string | undefined
  /** Likewise of its mask. */
  readonly maskHashOf: (unit: Unit) => string | undefined
  /** Likewise of the last picture of a video. */
  readonly lastImageHashOf: (unit: Unit) => string | undefined
  /** Units of which a picture was not looked at. */
  readonly unchecked: ReadonlySet<Unit>
  /** Masks that keep everything, or nothing. */
  readonly warnings: readonly PrepareWarning[]
}

/** A file that a unit's drawing starts from. */
interface StartPicture {
  readonly setting: 'image' | 'mask' | 'lastImage'
  readonly source: string
  readonly fit: InitImage['fit']
}

/** @throws PregenErrors with the faults of all images; `E_IMAGE_NOT_FETCHED` for those that a dry run would have to fetch */
export async function checkInitImages(
  units: readonly Unit[],
  sheet: CueSheet,
  layout: Layout,
  options: SelectOptions,
): Promise<CheckedImages> {
  const { allowPrivateUrls: allowPrivate, remoteImages = 'fetch', force, signal } = options
  const hashes = new Map<string, string>()
  const recorded = new Map<string, string>()
  const unchecked = new Set<Unit>()
  const warnings = new Map<string, PrepareWarning>()
  const hashOf = (unit: Unit, setting: StartPicture['setting']) => {
    const picture = startPictures(unit).find((each) => each.setting === setting)
    if (picture === undefined) return undefined
    return recorded.get(ownKey(unit, setting)) ?? hashes.get(pictureKey(unit, picture))
  }
  const result: CheckedImages = {
    hashOf: (unit) => hashOf(unit, 'image'),
    maskHashOf: (unit) => hashOf(unit, 'mask'),
    lastImageHashOf: (unit) => hashOf(unit, 'lastImage'),
    unchecked,
    get warnings() {
      return [...warnings.values()]
    },
  }
  if (units.every((unit) => startPictures(unit).length === 0)) return result
  const faults = new Map<string, PregenError>()
  const isUnfetched = ({ source }: StartPicture) => remoteImages !== 'fetch' && isRemote(source)
  // What a unit was drawn from stands in the ledger: without the network, the picture there is taken to be the same.
  const isAnyUnfetched = units.some((unit) => startPictures(unit).some(isUnfetched))
  const ledger = isAnyUnfetched ? await readLedger(layout.state.ledgerPath) : null
  // The codecs are heavy, and most sheets start from no picture.
  const { checkInitImage } = await import('../images/init-image.ts')
  const { loadMask } = await import('../images/mask.ts')
  for (const unit of units) {
    for (const picture of startPictures(unit)) {
      const { setting, source, fit } = picture
      const key = pictureKey(unit, picture)
      if (hashes.has(key) || faults.has(key)) continue
      if (isUnfetched(picture)) {
        unchecked.add(unit)
        const known = ledger?.units.get(layout.variantKey(unit.cue, unit.variant))?.parts[`${setting}Sha256`]
        if (typeof known === 'string') recorded.set(ownKey(unit, setting), known)
        if (remoteImages === 'skip' || (typeof known === 'string' && !force)) continue
        faults.set(key, notFetched(unit, pictureLocation(sheet, unit, setting)))
        continue
      }
      const { width, height } = unit
      const request = { source, fit, width, height, allowPrivate, signal }
      signal?.throwIfAborted()
      try {
        if (setting !== 'mask') {
          hashes.set(key, (await checkInitImage(request)).sha256)
        } else {
          const { sha256, values } = await loadMask(request)
          hashes.set(key, sha256)
          const warning = warnOfMask(unit, values)
          if (warning !== null) warnings.set(key, warning)
        }
      } catch (error) {
        if (!(error instanceof PregenError) || signal?.aborted) throw error
        const { help, exitCode, code, message } = error
        const placed = { help, exitCode, cause: error, location: pictureLocation(sheet, unit, setting) }
        faults.set(key, new PregenError(code, `${unitName(unit)}: ${message}`, placed))
      }
    }
  }
  if (faults.size > 0) throw new PregenErrors([...faults.values()])
  return result
}

function warnOfMask(unit: Unit, values: Float32Array): PrepareWarning | null {
  const isWhite = values.every((value) => value === 1)
  if (!isWhite && values.some((value) => value === 1)) return null
  const what = isWhite
    ? 'white all over: the whole picture is drawn anew'
    : 'black all over: nothing is drawn anew'
  return { code: 'W_MASK_UNIFORM', message: `${unitName(unit)}: its mask is ${what}.` }
}

function startPictures({ image, mask, lastImage }: Unit): readonly StartPicture[] {
  const pictures: StartPicture[] = []
  if (image !== undefined) pictures.push({ setting: 'image', ...image })
  if (image !== undefined && mask !== undefined)
    pictures.push({ setting: 'mask', source: mask, fit: image.fit })
  if (lastImage !== undefined) pictures.push({ setting: 'lastImage', ...lastImage })
  return pictures
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

/** Where the sheet names a unit's picture. */
function pictureLocation(
  sheet: CueSheet,
  unit: Unit,
  setting: StartPicture['setting'],
): SourceLocation | undefined {
  const cue = sheet.cues.find(({ id }) => id === unit.cue)
  const origin = cue?.variants.find(({ id }) => id === unit.variant)?.origins[setting]
  return origin && sheet.locate(origin)
}

/** Units that share a source, a size and a fit share the check. */
function pictureKey({ width, height }: Unit, { setting, source, fit }: StartPicture): string {
  return JSON.stringify([setting, source, fit ?? null, width, height])
}

function ownKey(unit: Unit, setting: StartPicture['setting']): string {
  return `${setting} of ${unitName(unit)}`
}
