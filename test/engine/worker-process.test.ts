import { describe, expect, it } from 'vitest'
import { createDevice } from '../../src/engine/device.ts'
import type { InferenceProcedures } from '../../src/engine/inference-calls.ts'
import { startWorkerProcess } from '../../src/engine/worker-process.ts'
import { PlayedChild } from './played-child.ts'

interface Played {
  readonly draw: { readonly input: number; readonly output: string; readonly notice: string }
}

function start() {
  const child = new PlayedChild()
  const start = { module: './none.js', label: 'inference', data: null, env: {} }
  return { child, worker: startWorkerProcess<Played>(start, () => child) }
}

describe('a worker process', () => {
  it('answers a call, tells what happens meanwhile, and what it has cost', async () => {
    const { child, worker } = start()
    const notices: string[] = []
    const drawn = worker.call('draw', 7, { onNotice: (notice) => void notices.push(notice) })
    expect(child.calls()).toMatchObject([{ name: 'draw', input: 7 }])
    child.notify('step 1')
    child.notify('step 2')
    child.answer('a hill')
    expect(await drawn).toBe('a hill')
    expect(notices).toEqual(['step 1', 'step 2'])
    expect(worker.figures()).toEqual({ sessionRunMs: 40, peakRssBytes: 1000 })
  })

  it('gives a receipt for every four that were handed out once they are dealt with', async () => {
    const { child, worker } = start()
    const finish: (() => void)[] = []
    const taking = () => new Promise<void>((resolve) => finish.push(resolve))
    const drawn = worker.call('draw', 7, { onNotice: taking })
    for (let i = 0; i < 6; i++) {
      child.notify('latents', true)
      child.notify('a mere word')
    }
    await Promise.resolve()
    expect(child.receipts()).toEqual([])
    for (const done of finish.splice(0, 6)) done()
    await new Promise(setImmediate)
    expect(child.receipts()).toEqual([])
    for (const done of finish) done()
    await new Promise(setImmediate)
    expect(child.receipts()).toEqual([4])
    child.notify('latents', true)
    child.notify('latents', true)
    for (const done of finish) done()
    await new Promise(setImmediate)
    expect(child.receipts()).toEqual([4, 4])
    child.answer('a hill')
    await drawn
  })

  it('names the call in an error that names no stage', async () => {
    const { child, worker } = start()
    const drawn = worker.call('draw', 7)
    const error = { code: 'E_X', message: 'no', help: undefined, stage: undefined, stack: undefined }
    child.emit('message', { kind: 'fault', id: 1, error, figures: { sessionRunMs: 0, peakRssBytes: 0 } })
    await expect(drawn).rejects.toMatchObject({ code: 'E_X', stage: 'draw' })
  })

  it('passes a cancel on, before or while the call is in work, and nothing after it', async () => {
    const { child, worker } = start()
    const abort = new AbortController()
    const drawn = worker.call('draw', 7, { signal: abort.signal })
    abort.abort()
    expect(child.told.at(-1)).toEqual({ kind: 'cancel', id: 1 })
    child.answer('half a hill')
    await drawn
    const second = worker.call('draw', 8, { signal: abort.signal })
    expect(child.told.at(-1)).toEqual({ kind: 'cancel', id: 2 })
    child.answer('')
    await second
  })

  it('leaves to the worker whether a call that need not be begun is begun', async () => {
    const { child, worker } = start()
    const abort = new AbortController()
    const drawn = worker.call('draw', 7, { unbegun: abort.signal })
    abort.abort()
    expect(child.told.at(-1)).toEqual({ kind: 'drop', id: 1 })
    child.answer('a whole hill')
    expect(await drawn).toBe('a whole hill')
  })

  it('fails every call with the last words of a process that crashed', async () => {
    const { child, worker } = start()
    const calls = [worker.call('draw', 1), worker.call('draw', 2)]
    child.stderr?.emit('data', 'what():  std::bad_alloc\n')
    child.emit('exit', null, 'SIGABRT')
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({
        code: 'E_WORKER_DIED',
        message: 'The inference process ended: SIGABRT ended it, and said "what():  std::bad_alloc".',
      })
    }
    await expect(worker.call('draw', 3)).rejects.toMatchObject({ code: 'E_WORKER_DIED' })
  })
})

describe('a device', () => {
  const REQUEST = {
    path: '/model',
    pipeline: undefined,
    previewDecoder: undefined,
    provider: 'cpu',
    threads: undefined,
    spillFolder: '/tmp',
  } as const

  it('starts its process again when it died, three times in a row, and adds up what all have cost', async () => {
    const children: PlayedChild[] = []
    const device = createDevice({
      index: 1,
      deviceId: undefined,
      start: () =>
        startWorkerProcess<InferenceProcedures>(
          { module: './none.js', label: 'inference', data: null, env: {} },
          () => {
            const child = new PlayedChild()
            children.push(child)
            return child
          },
        ),
    })
    const open = async () => {
      const opening = device.open(REQUEST)
      children.at(-1)?.answer({ provider: 'cpu', deviceId: 0 })
      return await opening
    }
    for (let death = 1; death <= 4; death++) {
      expect((await open()).device).toBe('cpu:1')
      expect(children).toHaveLength(death)
      children.at(-1)?.kill()
      expect(device.mayRestart()).toBe(death < 4)
    }
    await expect(device.open(REQUEST)).rejects.toMatchObject({ code: 'E_WORKER_DIED' })
    expect(device.figures()).toEqual({ sessionRunMs: 160, peakRssBytes: 1000 })
    // Another model may find it well.
    device.resetDeaths()
    await open()
    expect(children).toHaveLength(5)
  })
})
