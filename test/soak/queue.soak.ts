/** The queue's promises with their full counts; `test/queue/` holds the same with smaller ones. */
import { expect, it } from 'vitest'
import { drawTogether } from '../queue/machines.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startMoto } from '../support/moto.ts'
import { startRedis } from '../support/redis.ts'
import { temporaryFolder } from '../support/temp.ts'

it('three machines draw a sheet though two are killed again and again, the queue restarts and the bucket is away for 20 s', async () => {
  const [moto, redis] = await Promise.all([startMoto(), startRedis()])
  const proxy = await startFaultProxy(moto.endpoint)
  try {
    await moto.createBucket('three')
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    const { drawn, kills, seconds } = await drawTogether({
      ...{ folder: await temporaryFolder(), redis, moto, proxy, bucket: 'three' },
      show: {
        programs: { P0: {}, P1: { previews: { method: 'latent2rgb' } } },
        cues: {
          dawn: { program: 'P1', prompt: 'dawn', seeds },
          sea: { program: 'P0', prompt: 'sea', seeds },
          night: { program: 'P1', prompt: 'night', seeds },
        },
      },
      args: ['--lease', '8'],
      ...{ workers: 3, kills: 4, livesMs: 15_000, restartsRedis: true, outageMs: 20_000 },
    })
    const twice = [...drawn.values()].filter((times) => times === 2).length
    console.log(`queue: ${JSON.stringify({ units: drawn.size, twice, kills, seconds })}`)
    expect(drawn.size).toBe(60)
  } finally {
    await redis.stop()
    await proxy.stop()
    await moto.stop()
  }
})
