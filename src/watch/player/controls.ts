/** The player's own controls: a button, a slider over the steps, a readout. */
import { frameAt, type Timeline } from './timeline.ts'
import type { Transport } from './transport.ts'

export interface ControlActions {
  play(): void
  pause(): void
  seek(frame: number): void
}

export class Controls {
  readonly element = document.createElement('div')
  readonly #button = document.createElement('button')
  readonly #slider = document.createElement('input')
  readonly #readout = document.createElement('output')
  readonly #transport: Transport
  #timeline: Timeline = { steps: 0, dueMs: [0], totalMs: 0 }

  constructor(transport: Transport, actions: ControlActions) {
    this.#transport = transport
    this.element.part.add('controls')
    this.element.hidden = true
    this.#button.type = 'button'
    this.#button.onclick = () => (transport.playing ? actions.pause() : actions.play())
    this.#slider.type = 'range'
    this.#slider.min = '0'
    this.#slider.setAttribute('aria-label', 'Step')
    this.#slider.oninput = () => actions.seek(Number(this.#slider.value))
    this.element.append(this.#button, this.#slider, this.#readout)
    this.load(this.#timeline, false)
  }

  load(timeline: Timeline, isReplay: boolean): void {
    this.#timeline = timeline
    this.#slider.max = String(timeline.dueMs.length)
    this.#button.disabled = !isReplay
    this.#slider.disabled = timeline.steps === 0
    this.update()
  }

  update(): void {
    if (this.element.hidden) return
    const { steps } = this.#timeline
    const frame =
      this.#transport.positionMs === 0 && !this.#transport.atEnd
        ? 0
        : frameAt(this.#timeline, this.#transport.positionMs)
    const text = steps === 0 ? '' : frame > steps ? 'final' : `${frame} of ${steps}`
    this.#button.textContent = this.#transport.playing ? 'Pause' : 'Play'
    this.#slider.value = String(frame)
    this.#slider.setAttribute('aria-valuetext', text)
    this.#readout.textContent = text
  }

  tell(message: string): void {
    this.#readout.textContent = message
  }
}
