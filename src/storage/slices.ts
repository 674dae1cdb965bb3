/** A body that goes up slice by slice, so that a thin line is seen to move: each slice costs a quick one a turn of the event loop. */
import { Readable } from 'node:stream'

/** At 20 kB/s, the slowest line that is reckoned with, thirteen seconds. */
const MIN_BYTES = 256 * 1024
const MAX_BYTES = 2 * 1024 * 1024

/** A slice that is taken in this time may be followed by one of twice its size: 5 MB/s, and 40 for the largest. */
const QUICK_MS = 50

/** @param noteSign called whenever some of the body has been taken. A small one goes as it is. */
export type SliceBody = (body: Uint8Array, noteSign: () => void) => Uint8Array | Readable

/** @param now milliseconds of a clock that never jumps. All bodies go by one line, and learn of its pace together. */
export function createSlicer(now = () => performance.now()): SliceBody {
  let sliceBytes = MIN_BYTES
  return (body, noteSign) => {
    if (body.byteLength <= MIN_BYTES) return body
    let at = 0
    let given = 0
    let givenAt = 0
    return new Readable({
      highWaterMark: MIN_BYTES,
      read() {
        if (given > 0) noteSign()
        // The second is asked for when the first is handed on; later ones when the one before the last has left.
        if (given > 1)
          sliceBytes = now() - givenAt < QUICK_MS ? Math.min(2 * sliceBytes, MAX_BYTES) : MIN_BYTES
        given++
        givenAt = now()
        const slice = body.subarray(at, at + sliceBytes)
        at += slice.byteLength
        this.push(slice.byteLength > 0 ? slice : null)
      },
    })
  }
}
