/** `pregen/player`: defines `<pregen-player>` where there is a DOM. */
import { PregenPlayer } from './element.ts'

export { PregenPlayer } from './element.ts'
export type { PlayerErrorDetail, PregenPlayerEventMap, ReadyDetail, StepDetail } from './player-events.ts'

declare global {
  interface HTMLElementTagNameMap {
    'pregen-player': PregenPlayer
  }
}

if (globalThis.customElements && !customElements.get('pregen-player')) {
  customElements.define('pregen-player', PregenPlayer)
}
