/** The worker's end of the calls, in a process of its own as in the product. */
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { startModule } from '../../src/engine/worker-child.ts'
import { startWorkerProcess, type WorkerProcess } from '../../src/engine/worker-process.ts'
import { packageRoot } from '../support/cli.ts'

interface Counting {
  /** Counts up to a number, and tells of each. */
  readonly count: { readonly input: number; readonly output: string; readonly notice: number }
  /** Hands out what it is given, added to by one each time, and answers with the last. */
  readonly raise: {
    readonly input: { readonly times: number; readonly values: Float32Array }
    readonly output: { readonly values: Float32Array; readonly bytes: Uint8Array }
    readonly notice: { readonly time: number; readonly values: Float32Array }
  }
}

let worker: WorkerProcess<Counting> | undefined
afterEach(() => worker?.end())

function start(): WorkerProcess<Counting> {
  const script = fileURLToPath(new URL('./counting-worker.mjs', import.meta.url))
  const module = `${packageRoot}/dist/modules/engine/serve-calls.js`
  const child = () => startModule(script, [module], process.env)
  worker = startWorkerProcess<Counting>({ module, label: 'counting', data: null, env: {} }, child)
  return worker
}

describe('a call that is in work', () => {
  it('is finished when it need not be begun, and what waits behind it is not begun', async () => {
    const { call } = start()
    const ending = new AbortController()
    const begun: string[] = []
    const note = (name: string) => (number: number) => {
      begun.push(`${name} ${number}`)
      if (name === 'first' && number === 3) ending.abort()
    }
    const calls = ['first', 'second', 'third'].map((name) =>
      call('count', 200, { unbegun: ending.signal, onNotice: note(name) }),
    )
    const [first, ...others] = await Promise.allSettled(calls)
    expect(first).toEqual({ status: 'fulfilled', value: 'counted to 200' })
    for (const other of others) expect(other).toMatchObject({ reason: { code: 'E_CANCELLED' } })
    expect(begun).toHaveLength(200)
  })

  it('is given up when it is cancelled', async () => {
    const { call } = start()
    const stopping = new AbortController()
    const counted = call('count', 1e9, {
      signal: stopping.signal,
      onNotice: (number) => void (number === 3 && stopping.abort()),
    })
    expect(await counted).toMatch(/^counted to \d+$/)
  })

  it('which was begun before its end was told is finished, at whatever moment that was', async () => {
    const { call } = start()
    let finished = 0
    for (let tries = 0; tries < 300; tries++) {
      const ending = new AbortController()
      const seen: number[] = []
      const counted = call('count', 2, {
        unbegun: ending.signal,
        onNotice(number) {
          seen.push(number)
          ending.abort()
        },
      })
      // From before the worker reads the call to the moment when it tells of it.
      for (let turns = tries % 30; turns > 0; turns--) await new Promise(setImmediate)
      if (tries % 30 < 29) ending.abort()
      const [end] = await Promise.allSettled([counted])
      if (end?.status === 'fulfilled') finished++
      expect(seen).toEqual(end?.status === 'fulfilled' ? [1, 2] : [])
    }
    expect(finished).toBeGreaterThan(0)
  }, 60_000)
})

describe('large arrays', () => {
  it.each([
    [100, 20],
    [20_000, 20],
    [700_000, 20],
    [9_000_000, 2],
  ])(
    'of %i values come and go whole, however slowly they are taken',
    async (size, most) => {
      const { call } = start()
      const values = new Float32Array(size).map((_, index) => index % 1009)
      const times: number[] = []
      const looks: Promise<void>[] = []
      const look = async (time: number, handedOut: Float32Array) => {
        // What came before must stay as it was while more is handed out.
        for (let turns = 0; turns < time % 4; turns++) await new Promise(setImmediate)
        expectRaised(handedOut, values, time)
      }
      const raised = await call(
        'raise',
        { times: most, values },
        {
          onNotice({ time, values: handedOut }) {
            times.push(time)
            looks.push(look(time, handedOut))
            return looks.at(-1)
          },
        },
      )
      await Promise.all(looks)
      expect(times).toEqual(Array.from({ length: most }, (_, index) => index + 1))
      expectRaised(raised.values, values, most)
      const bytes = new Uint8Array(size).map((_, index) => (index % 1009) % 256)
      expect(Buffer.compare(raised.bytes, bytes)).toBe(0)
    },
    60_000,
  )
})

function expectRaised(raised: Float32Array, values: Float32Array, by: number): void {
  expect(raised).toHaveLength(values.length)
  let wrong = 0
  for (const [index, value] of values.entries()) if (raised[index] !== value + by) wrong++
  expect(wrong).toBe(0)
}
