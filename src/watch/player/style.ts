/** The element's style. A constructed sheet needs no inline style, which a strict content policy forbids. */

const CSS = `
:host { display: block; position: relative; background: var(--pregen-player-background, transparent) }
:host([hidden]), [hidden] { display: none !important }
canvas { display: block; width: 100%; height: 100%; object-fit: contain }
div { display: flex; gap: 8px; align-items: center; padding: 8px; font: 14px/1.5 system-ui, sans-serif;
  color: var(--pregen-player-color, inherit) }
button { font: inherit; color: inherit; background: transparent; border: 1px solid currentColor; border-radius: 8px;
  padding: 4px 12px; min-width: 5em; cursor: pointer }
button:disabled { opacity: .5; cursor: default }
input { flex: 1; min-width: 0; accent-color: var(--pregen-player-accent, #7cb7ff) }
output { min-width: 6em; text-align: right; font-variant-numeric: tabular-nums }
`

export function createSheet(): CSSStyleSheet {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(CSS)
  return sheet
}
