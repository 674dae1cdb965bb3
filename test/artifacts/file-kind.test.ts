import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kindFault } from '../../src/artifacts/file-kind.ts'
import { encodePng } from '../../src/artifacts/png.ts'
import { encodeThumbnail } from '../../src/artifacts/thumbnail.ts'
import { encodeTiming, timingOf } from '../../src/artifacts/timing.ts'
import { encodeAnimation } from '../../src/media/animation.ts'

const rgb = new Uint8Array(8 * 8 * 3).fill(7)
const passwd = Buffer.from('root:x:0:0:root:/root:/bin/bash\n')

describe('the kind of a file', () => {
  it('is that of what pregen writes', async () => {
    expect(kindFault('1.png', await encodePng(rgb, 8, 8))).toBeNull()
    expect(kindFault('final.png', await encodePng(rgb, 8, 8, { metadata: 'a prompt, 絵' }))).toBeNull()
    expect(kindFault('final.thumb.webp', await encodeThumbnail(rgb, 8, 8))).toBeNull()
    const frame = { picture: { rgb, width: 8, height: 8 }, durationMs: 40 }
    expect(kindFault('1.webp', await encodeAnimation('webp', [frame, frame]))).toBeNull()
    expect(kindFault('1.webp', await encodePng(rgb, 8, 8))).toBe('is no WebP')
    expect(kindFault('timing.json', encodeTiming(timingOf([1, 2, 3], 4)))).toBeNull()
    expect(kindFault('timing.json', Buffer.from('{ "stepDurations": {"1": 2,\n "final": 3} }\n'))).toBeNull()
  })

  it('is not that of anything else', async () => {
    const png = Buffer.from(await encodePng(rgb, 8, 8))
    const webp = Buffer.from(await encodeThumbnail(rgb, 8, 8))
    const jpeg = readFileSync(join(import.meta.dirname, '../fixtures/images/sources/grey.jpg'))
    for (const bytes of [
      passwd,
      Buffer.alloc(0),
      webp,
      jpeg,
      png.subarray(0, -1),
      Buffer.concat([png, passwd]),
    ]) {
      expect(kindFault('final.png', bytes)).toBe('is no PNG')
    }
    // The signature alone makes no picture, nor does a header that is not true.
    expect(kindFault('1.png', Buffer.concat([png.subarray(0, 8), passwd, Buffer.alloc(100)]))).toBe(
      'is no PNG',
    )
    expect(kindFault('1.png', Buffer.concat([png.subarray(0, 29), Buffer.alloc(4), png.subarray(33)]))).toBe(
      'is no PNG',
    )
    expect(kindFault('1.png', Buffer.concat([png.subarray(0, 33), passwd, png.subarray(33)]))).toBe(
      'is no PNG',
    )
    for (const bytes of [passwd, png, Buffer.concat([webp, passwd]), webp.subarray(0, -2)]) {
      expect(kindFault('final.thumb.webp', bytes)).toBe('is no WebP')
    }
    for (const text of [
      '',
      '{}',
      'null',
      '{"stepDurations":{"1":1,"final":1},"token":"s"}',
      String(passwd),
    ]) {
      expect(kindFault('timing.json', Buffer.from(text))).not.toBeNull()
    }
    expect(kindFault('id_rsa', passwd)).not.toBeNull()
  })
})
