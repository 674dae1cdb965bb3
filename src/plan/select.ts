/** `--cue`, `--variant`, `--program`: globs over ids. */
import picomatch from 'picomatch'
import { PregenError } from '../errors.ts'

export interface Selection {
  readonly cue?: string | undefined
  readonly variant?: string | undefined
  readonly program?: string | undefined
}

interface Selectable {
  readonly cue: string
  readonly variant: string
  readonly program: string
}

const MAX_LISTED = 30

/**
 * The units that every given glob matches, in their order.
 * @throws PregenError E_NOTHING_SELECTED with the candidates, for a glob that matches nothing
 */
export function selectUnits<T extends Selectable>(units: readonly T[], selection: Selection): readonly T[] {
  let selected = units
  for (const name of ['cue', 'program', 'variant'] as const) {
    const glob = selection[name]
    if (glob === undefined) continue
    // One name may be stored in two ways: macOS writes accents apart.
    const matches =
      glob === '' ? () => false : picomatch(glob.normalize('NFC'), { dot: true, nonegate: false })
    const candidates = selected
    selected = candidates.filter((unit) => matches(unit[name].normalize('NFC')))
    if (selected.length === 0)
      throw nothingSelected(name, glob, [...new Set(candidates.map((unit) => unit[name]))])
  }
  return selected
}

function nothingSelected(name: string, glob: string, candidates: readonly string[]): PregenError {
  const listed = candidates.slice(0, MAX_LISTED).join(', ')
  const more = candidates.length > MAX_LISTED ? `, and ${candidates.length - MAX_LISTED} more` : ''
  return new PregenError('E_NOTHING_SELECTED', `--${name} ${glob === '' ? '""' : glob} matches nothing.`, {
    help: candidates.length === 0 ? 'There is nothing to choose from.' : `There are: ${listed}${more}.`,
  })
}
