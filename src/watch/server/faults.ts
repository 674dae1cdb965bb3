/** Faults as an answer tells them. */
import { formatLocation, type PregenError, PregenErrors } from '../../errors.ts'

/** Every fault of a refused request, with its place in the sheet. */
export function faultsOf(error: PregenError | PregenErrors): object {
  const errors = error instanceof PregenErrors ? error.errors : [error]
  return {
    errors: errors.map(({ code, message, help = null, location }) => ({
      ...{ code, message, help },
      ...{ file: location?.file ?? null, line: location?.line ?? null, column: location?.column ?? null },
      place: location ? formatLocation(location) : null,
    })),
  }
}
