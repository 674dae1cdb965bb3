import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findBucket, isShardFolder, rememberBucket } from '../../src/run/bucket-target.ts'
import { temporaryFolder } from '../support/temp.ts'

const STORAGE = {
  bucket: 'show',
  endpoint: undefined,
  region: 'auto',
  prefix: '',
  concurrency: 16,
  publicUrl: undefined,
  forcePathStyle: undefined,
}
const find = (out: string) => findBucket(out, undefined, { env: {}, embeddedModels: {} })

describe('the bucket of a tree', () => {
  it('is the one that the last run with a bucket left', async () => {
    const out = await temporaryFolder()
    await rememberBucket(out, STORAGE)
    await rememberBucket(out, null)
    expect(await find(out)).toEqual(JSON.parse(JSON.stringify(STORAGE)))
  })

  it('remembers whether the folder is a shard of its own', async () => {
    const out = await temporaryFolder()
    expect(await isShardFolder(out)).toBe(false)
    await rememberBucket(out, STORAGE, '2/5')
    expect([await isShardFolder(out), (await find(out)).bucket]).toEqual([true, 'show'])
    await rememberBucket(out, STORAGE)
    expect(await isShardFolder(out)).toBe(false)
  })

  it('must be named where no run left one', async () => {
    await expect(find(await temporaryFolder())).rejects.toMatchObject({
      code: 'E_NO_BUCKET',
      help: expect.stringContaining('--sheet'),
    })
  })

  it.each(['{ no json', '{"bucket":"show"}', 'null'])('is not guessed from %s', async (text) => {
    const out = await temporaryFolder()
    await mkdir(join(out, '.pregen'))
    await writeFile(join(out, '.pregen/storage.json'), text)
    await expect(find(out)).rejects.toMatchObject({
      code: 'E_NO_BUCKET',
      message: expect.stringContaining('cannot be understood'),
    })
  })
})
