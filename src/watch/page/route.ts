/** The address after `#`: `#/replay/dawn/wide?speed=2`. Everything that a view shows can be sent as a link. */

export const VIEWS = ['live', 'gallery', 'grid', 'replay', 'queue'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  /** null: none is named. */
  readonly view: View | null
  /** What stands after the view: ids. */
  readonly path: readonly string[]
  readonly params: Readonly<Record<string, string>>
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = splitOnce(hash.replace(/^#\/?/, ''), '?')
  const [first, ...rest] = path
    .split('/')
    .filter((part) => part !== '')
    .map(decode)
  const view = VIEWS.find((name) => name === first) ?? null
  return { view, path: view === null ? [] : rest, params: Object.fromEntries(new URLSearchParams(query)) }
}

/** Parameters that are empty or null are left out. */
export function formatRoute(
  view: View,
  path: readonly string[] = [],
  params: Readonly<Record<string, string | null>> = {},
): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params))
    if (value !== null && value !== '') query.set(name, value)
  const text = query.toString()
  return `#/${[view, ...path.map(encodeURIComponent)].join('/')}${text === '' ? '' : `?${text}`}`
}

function splitOnce(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)]
}

/** A part as it was, where it is no valid percent-encoding. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (error instanceof URIError) return part
    throw error
  }
}
