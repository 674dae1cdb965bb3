/** Uploads over thin lines with their full sizes and the tool's own times, to moto; `test/storage/thin-line` has smaller ones. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createS3Storage } from '../../src/storage/s3.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { startThinLine } from '../support/thin-line.ts'

const OBJECTS = 18
const BYTES = 650_000

let moto: MotoServer
beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
})
afterAll(() => moto.stop())

it.each([1000, 150, 60])(
  `${OBJECTS} objects of ${BYTES / 1000} kB at %i kB/s land, each at its first attempt`,
  async (rate) => {
    const line = await startThinLine(moto.endpoint, rate)
    const storage = createS3Storage({
      bucket: 'show',
      endpoint: line.endpoint,
      credentials: TEST_CREDENTIALS,
    })
    const from = performance.now()
    const results = await Promise.all(
      Array.from({ length: OBJECTS }, (_, i) =>
        storage.put({
          key: `foigoi/${rate}/${i}`,
          body: new Uint8Array(BYTES).fill(i),
          contentType: 'image/png',
          cacheControl: 'no-cache',
        }),
      ),
    )
    const seconds = (performance.now() - from) / 1000
    const attempts = results.reduce((sum, result) => sum + result.attempts, 0)
    console.log(`${rate} kB/s: ${seconds.toFixed(1)} s, ${attempts} attempts`)
    expect(attempts).toBe(OBJECTS)
    await storage.close()
    await line.stop()
    const listed = createS3Storage({ bucket: 'show', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
    for (let i = 0; i < OBJECTS; i++) {
      const body = await listed.get(`foigoi/${rate}/${i}`)
      expect(Buffer.compare(Buffer.from(body ?? []), Buffer.alloc(BYTES, i))).toBe(0)
    }
    await listed.close()
  },
)
