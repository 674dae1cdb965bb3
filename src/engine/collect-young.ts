/**
 * Collecting pictures that are done with. Their memory lies outside V8's heap, where it would let 64 MiB pile up before
 * it looks; a collection of the young objects that hold it takes a millisecond or two.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Outside the heap, from which a look is worth its time: the tool's libraries hold 3 MiB, a 1024 × 1024 picture has 3. */
const WORTH_BYTES = 8 * 2 ** 20

type Collect = (options: { readonly type: 'minor' }) => void
let collect: Collect | undefined

/** For this thread, between two pictures. */
export function collectYoung(): void {
  const { external, arrayBuffers } = process.memoryUsage()
  if (Math.max(external, arrayBuffers) < WORTH_BYTES) return
  collect ??= exposeCollector()
  collect({ type: 'minor' })
}

/** Node gives its collector to contexts that are made while this flag stands; no other context sees it. */
function exposeCollector(): Collect {
  setFlagsFromString('--expose-gc')
  const collector: Collect = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return collector
}
