/** `pregen/player`: defines `<pregen-player>` where there is a DOM. */
import { PregenPlayer } from './element.ts'

export {
  type PlayerErrorDetail,
  PregenPlayer,
  type PregenPlayerEventMap,
  type ReadyDetail,
  type StepDetail,
} from './element.ts'

declare global {
  interface HTMLElementTagNameMap {
    'pregen-player': PregenPlayer
  }
}

if (globalThis.customElements && !customElements.get('pregen-player')) {
  customElements.define('pregen-player', PregenPlayer)
}
