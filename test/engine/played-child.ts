/** A worker process that a test plays: it answers when it is told to. */
import { EventEmitter } from 'node:events'
import type { ToWorker } from '../../src/engine/rpc.ts'
import type { WorkerChild, WorkerListeners } from '../../src/engine/worker-child.ts'

export class PlayedChild extends EventEmitter implements WorkerChild {
  readonly stderr = new EventEmitter() as WorkerChild['stderr']
  readonly sideFile = null
  readonly told: ToWorker[] = []
  listen({ message, error, exit }: WorkerListeners): void {
    this.on('message', message).on('error', error).on('exit', exit)
  }
  send(message: ToWorker, whenSent: (error: Error | null) => void): void {
    this.told.push(message)
    whenSent(null)
  }
  /** Calls that it was asked, in order. */
  calls(): Extract<ToWorker, { kind: 'call' }>[] {
    return this.told.filter((message) => message.kind === 'call')
  }
  answer(output: unknown): void {
    const figures = { sessionRunMs: 40, peakRssBytes: 1000 }
    this.emit('message', { kind: 'answer', id: this.calls().at(-1)?.id, output, figures })
  }
  notify(notice: unknown, wantReceipts = false): void {
    this.emit('message', { kind: 'notices', id: this.calls().at(-1)?.id, notices: [notice], wantReceipts })
  }
  /** How many notices each of them was for. */
  receipts(): number[] {
    return this.told.flatMap((message) => (message.kind === 'receipt' ? [message.count] : []))
  }
  kill(): void {
    this.emit('exit', null, 'SIGKILL')
  }
}
