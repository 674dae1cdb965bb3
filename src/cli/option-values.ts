/** Values of options: text in, number out, or one clear line. */
import { InvalidArgumentError } from 'commander'
import { MAX_BATCH } from '../cue-sheet/settings.ts'
import {
  type FilmPace,
  MAX_FADE_MS,
  MAX_HOLD_MS,
  MAX_PACE,
  parseDurationMs,
  parsePace,
} from '../films/film-options.ts'
import { MAX_FPS } from '../media/frame-rate.ts'

/** @throws InvalidArgumentError unless the text is a whole number from 0 up */
export function parseWholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 0 up.')
  return Number(text)
}

/** @throws InvalidArgumentError unless the text is a whole number from 1 up */
export function parsePositiveInteger(text: string): number {
  const value = parseWholeNumber(text)
  if (value === 0) throw new InvalidArgumentError('It must be 1 or more.')
  return value
}

/** Collects the names of a repeated option. @throws InvalidArgumentError for what is no name of a variable */
export function collectVariable(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) {
    throw new InvalidArgumentError('It must be the name of an environment variable.')
  }
  return [...before, text]
}

/** @throws InvalidArgumentError unless the text is a finite number from 0 up */
export function parseGuidanceScale(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('It must be a number from 0 up.')
  }
  return value
}

/** @throws InvalidArgumentError unless the text is a whole number from 2 up */
export function parseTwoOrMore(text: string): number {
  const value = parseWholeNumber(text)
  if (value < 2) throw new InvalidArgumentError('It must be 2 or more.')
  return value
}

/** @throws InvalidArgumentError unless the text is a list such as `0,1`, or `all` */
export function parseDevices(text: string): readonly number[] | 'all' {
  if (text === 'all') return text
  const ids = text.split(',').map((id) => id.trim())
  if (ids.every((id) => /^\d{1,9}$/.test(id))) return ids.map(Number)
  throw new InvalidArgumentError('It must be a list of whole numbers from 0 up, such as 0,1; or all.')
}

/** @throws InvalidArgumentError unless the text is a number that a sheet's `batch` may be, or `auto` */
export function parseBatch(text: string): number | 'auto' {
  if (text === 'auto') return text
  const batch = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (batch >= 1 && batch <= MAX_BATCH) return batch
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_BATCH}, or auto.`)
}

/** @throws InvalidArgumentError for nothing, as `--out "$UNSET"` gives */
export function parseText(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.')
  return text
}

/** For options that may be given several times. */
export function collectText(text: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), parseText(text)]
}

/** @throws InvalidArgumentError unless the text is `true`, `even` or a factor */
export function parsePaceOption(text: string): FilmPace {
  const pace = parsePace(text)
  if (pace === null)
    throw new InvalidArgumentError(
      `It must be true, even, or a factor up to ${MAX_PACE}: 2 is twice as fast.`,
    )
  return pace
}

/** @throws InvalidArgumentError unless the text is a time such as `2s`, at most ten minutes */
export function parseHold(text: string): number {
  const ms = parseDurationMs(text)
  if (ms === null || ms > MAX_HOLD_MS)
    throw new InvalidArgumentError('It must be a time such as 2s, 1.5s or 500ms, up to 600s.')
  return ms
}

/** @throws InvalidArgumentError unless the text is a whole number of milliseconds, at most ten seconds */
export function parseFade(text: string): number {
  const ms = parseWholeNumber(text.endsWith('ms') ? text.slice(0, -2) : text)
  if (ms > MAX_FADE_MS) throw new InvalidArgumentError(`It must be at most ${MAX_FADE_MS} ms.`)
  return ms
}

/** @throws InvalidArgumentError unless the text is a rate such as `25` or `29.97` */
export function parseFps(text: string): number {
  const fps = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : 0
  if (fps <= 0 || fps > MAX_FPS)
    throw new InvalidArgumentError(`It must be a number above 0, at most ${MAX_FPS}.`)
  return fps
}

/** Collects the folders of a repeated option, by id. @throws InvalidArgumentError unless the text is id=folder */
export function collectPlace(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, id, folder] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (id === undefined || folder === undefined)
    throw new InvalidArgumentError('It must be an id and a folder, such as sdxl=/models/sdxl.')
  return Object.assign(Object.create(null), before, { [id]: folder })
}

/** BullMQ's highest number. */
const LAST_PRIORITY = 2_097_151

/** @throws InvalidArgumentError unless the text is a whole number from 1 to 2,097,151 */
export function parsePriority(text: string): number {
  const value = parsePositiveInteger(text)
  if (value > LAST_PRIORITY) throw new InvalidArgumentError(`It must be ${LAST_PRIORITY} or less.`)
  return value
}
