/** What a model says of itself, in messages: short, however much it says. */
import { PregenError } from '../errors.ts'

const MAX_LENGTH = 120
const MAX_ITEMS = 20

/** The beginning of a name or path that a model's author chose. */
export function brief(text: string): string {
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}…`
}

/** Names in a row, the first twenty and how many more. */
export function briefList(names: readonly string[]): string {
  const more = names.length - MAX_ITEMS
  const shown = names.slice(0, MAX_ITEMS).map(brief).join(', ')
  return more > 0 ? `${shown} and ${more} more` : shown
}

/** The first twenty faults of one file, and how many more there are. */
export function firstOf(faults: readonly PregenError[], file: string): PregenError[] {
  const more = faults.length - MAX_ITEMS
  if (more <= 0) return [...faults]
  const { code, help } = faults[MAX_ITEMS]!
  const rest = new PregenError(code, `There are ${more} more faults of this kind.`, {
    help,
    location: { file },
  })
  return [...faults.slice(0, MAX_ITEMS), rest]
}
