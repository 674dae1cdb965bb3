/** The prompt's part of what was cut off; the template's end where nothing else was. */
export function withoutTail(cut: string, tail: string): string {
  const own = cut.endsWith(tail) ? cut.slice(0, cut.length - tail.length).trimEnd() : cut
  return own === '' ? cut : own
}
