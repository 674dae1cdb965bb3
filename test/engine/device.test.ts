import { describe, expect, it } from 'vitest'
import { createDevice } from '../../src/engine/device.ts'
import type { InferenceProcedures } from '../../src/engine/inference-calls.ts'
import { startWorkerProcess } from '../../src/engine/worker-process.ts'
import { PlayedChild } from './played-child.ts'

const MODEL: Parameters<ReturnType<typeof createDevice>['open']>[0] = {
  ...{ path: '/m', pipeline: undefined, previewDecoder: undefined },
  ...{ provider: 'dml', threads: undefined, spillFolder: '/s' },
}

function playDevice() {
  const children: PlayedChild[] = []
  const device = createDevice({
    index: 2,
    deviceId: 1,
    start() {
      const child = new PlayedChild()
      children.push(child)
      const start = { module: './x.js', label: 'inference', data: null, env: {} }
      return startWorkerProcess<InferenceProcedures>(start, () => child)
    },
  })
  return { device, children, last: () => children.at(-1)! }
}

describe('a device', () => {
  it('starts a process again three times, and then says why it does not', async () => {
    const { device, children, last } = playDevice()
    for (let death = 1; death <= 4; death++) {
      expect(device.mayRestart()).toBe(true)
      const opening = device.open(MODEL)
      last().kill()
      await expect(opening).rejects.toMatchObject({ code: 'E_WORKER_DIED' })
    }
    expect(device.mayRestart()).toBe(false)
    await expect(device.open(MODEL)).rejects.toMatchObject({ code: 'E_WORKER_DIED' })
    expect(children).toHaveLength(4)
  })

  it('counts deaths in a row alone', async () => {
    const { device, children, last } = playDevice()
    for (let death = 1; death <= 6; death++) {
      device.warmUp()
      last().kill()
      device.resetDeaths()
    }
    expect(device.mayRestart()).toBe(true)
    expect(children).toHaveLength(6)
  })

  it('asks for its own of the provider, and is called by it', async () => {
    const { device, last } = playDevice()
    const opening = device.open(MODEL)
    expect(last().calls()).toMatchObject([{ name: 'open', input: { path: '/m', deviceId: 1 } }])
    last().answer({ provider: 'dml', deviceId: 1, passedOver: [] })
    expect(await opening).toMatchObject({ provider: 'dml', device: 'dml:1' })
  })
})
