/** Films that a sheet asks for, before anything loads: an encoder that is not here is a fault of the plan. */
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import type { FilmOptions } from '../films/film-options.ts'
import { type Unit, unitName } from '../plan/unit.ts'

/** @throws PregenErrors with a fault for each kind of film that cannot be made here, at the first unit that wants it */
export async function checkFilms(units: readonly Unit[], sheet: CueSheet): Promise<void> {
  const wanted = new Map<string, { readonly unit: Unit; readonly film: FilmOptions }>()
  for (const unit of units) {
    const { film } = unit
    const kind = film && `${film.format} ${film.fadeMs > 0}`
    if (film && kind !== undefined && !wanted.has(kind)) wanted.set(kind, { unit, film })
  }
  if (wanted.size === 0) return
  // Codecs are heavy, and most sheets make no films.
  const { filmFault } = await import('../films/write-film.ts')
  const faults: PregenError[] = []
  for (const { unit, film } of wanted.values()) {
    const fault = await filmFault(film, false)
    if (!fault) continue
    const { code, message, help } = fault
    const cue = sheet.cues.find(({ id }) => id === unit.cue)
    const origin = cue?.variants.find(({ id }) => id === unit.variant)?.origins.film
    const location = origin && sheet.locate(origin)
    faults.push(new PregenError(code, `${unitName(unit)}: ${message}`, { help, location }))
  }
  if (faults.length > 0) throw new PregenErrors(faults)
}
