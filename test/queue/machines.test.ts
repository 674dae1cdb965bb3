import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { createScratch } from '../support/scratch.ts'
import { drawTogether } from './machines.ts'

const scratch = createScratch()
let moto: MotoServer
let redis: RedisServer
let proxy: FaultProxy

beforeAll(async () => {
  ;[moto, redis] = await Promise.all([startMoto(), startRedis()])
  proxy = await startFaultProxy(moto.endpoint)
}, 600_000)
afterAll(async () => {
  await redis.stop()
  await proxy.stop()
  await moto.stop()
})

describe('two machines on one queue', () => {
  it('draw a sheet whole, though one is killed, the queue restarts and the bucket is away for a while', async () => {
    await moto.createBucket('two')
    const seeds = [1, 2, 3, 4, 5, 6]
    const result = await drawTogether({
      ...{ folder: scratch.folder, redis, moto, proxy, bucket: 'two' },
      show: {
        programs: { P0: {}, P1: { previews: { method: 'latent2rgb' } } },
        cues: {
          dawn: { program: 'P1', prompt: 'dawn', seeds },
          sea: { program: 'P0', prompt: 'sea', seeds },
        },
      },
      args: ['--lease', '8'],
      ...{ workers: 2, kills: 1, livesMs: 4000, restartsRedis: true, outageMs: 2000 },
    })
    expect(result.drawn.size).toBe(12)
  }, 300_000)
})
