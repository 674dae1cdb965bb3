/** What one viewer likes, kept in this browser where it allows that. */

export interface Preferences {
  readonly theme: 'system' | 'light' | 'dark'
  /** A live picture every so many steps. */
  readonly every: number
  /** Live pictures go on while the tab is hidden. */
  readonly keep: boolean
}

const KEY = 'pregen'
const DEFAULTS: Preferences = { theme: 'system', every: 1, keep: false }

export function readPreferences(): Preferences {
  const value = parseStored(readStored() ?? 'null')
  if (typeof value !== 'object' || value === null) return DEFAULTS
  const kept: Partial<Record<keyof Preferences, unknown>> = value
  return {
    theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : DEFAULTS.theme,
    every: typeof kept.every === 'number' && kept.every >= 1 ? Math.trunc(kept.every) : DEFAULTS.every,
    keep: kept.keep === true,
  }
}

export function keepPreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences))
  } catch (error) {
    // A browser that keeps nothing for this site, or has no room left: the choice holds until the page is left.
    if (!(error instanceof DOMException)) throw error
  }
}

function readStored(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch (error) {
    if (error instanceof DOMException) return null
    throw error
  }
}

/** null for what something else on this site may have put there. */
function parseStored(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

export function applyTheme(theme: Preferences['theme']): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}
