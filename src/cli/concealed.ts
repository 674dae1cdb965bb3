/**
 * Values of environment variables that the sheet has read. Messages show what the sheet has, `${NAME}`, wherever one
 * of them would stand: also in texts of servers and libraries, which only know the value.
 */

/** Shorter ones stand in too many words by chance. */
const SHORTEST = 6
/** Numbers and the like: only a long one is worth hiding. */
const COMMON = /^(?:true|false|-?[\d.]{1,7})$/

const names = new Map<string, string>()

/** Keeps a value out of messages from now on. */
export function concealVariable(name: string, value: string): void {
  if (value.length >= SHORTEST && !COMMON.test(value)) names.set(value, name)
}

/** Whether a sheet has read anything that messages must not show. */
export function hasConcealed(): boolean {
  return names.size > 0
}

/** The text with `${NAME}` where a value stood. */
export function conceal(text: string): string {
  let shown = text
  // The longest first: a value may hold another one.
  for (const [value, name] of [...names].sort(([a], [b]) => b.length - a.length)) {
    shown = shown.replaceAll(value, () => `\${${name}}`)
  }
  return shown
}
