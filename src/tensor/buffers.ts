/** Large arrays' memory: handing it to another thread, or giving it back at once. */
import { MessageChannel } from 'node:worker_threads'

// What is posted to a closed port is taken from its sender and reaches nobody: Node's way of freeing a buffer before
// `ArrayBuffer.prototype.transfer` (Node 22).
const { port1: nowhere } = new MessageChannel()
nowhere.close()

/** The memory of an array, for a transfer. @throws TypeError when it is shared with another thread */
export function bufferOf({ buffer }: ArrayBufferView): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) return buffer
  throw new TypeError('memory that threads share cannot be handed over')
}

/**
 * Frees an array's memory now: V8's collector hears of what lies outside its heap late, after 64 MiB or so. All views of
 * that memory have no elements afterwards. An array that was freed or transferred before is left alone.
 */
export function freeArray(array: ArrayBufferView): void {
  const buffer = bufferOf(array)
  if (buffer.byteLength > 0) nowhere.postMessage(null, [buffer])
}
