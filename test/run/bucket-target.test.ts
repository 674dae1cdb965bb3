import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openOrigin } from '../../src/artifacts/origin.ts'
import {
  findBucket,
  isShardFolder,
  namedBucket,
  refuseForeignBucket,
  rememberBucket,
} from '../../src/run/bucket-target.ts'
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

describe('a bucket that came with the folder', () => {
  it('is this user’s own only if a run of this user’s wrote it, as it stands', async () => {
    const folder = await temporaryFolder()
    const [mine, other] = [openOrigin(join(folder, 'mine')), openOrigin(join(folder, 'other'))]
    const out = join(folder, 'out')
    await mkdir(out)
    await refuseForeignBucket(out, mine)
    await rememberBucket(out, { ...STORAGE, endpoint: 'https://a.example' }, '1/2', mine)
    await refuseForeignBucket(out, mine)
    expect([(await find(out)).endpoint, await isShardFolder(out)]).toEqual(['https://a.example', true])
    const foreign = { code: 'E_BUCKET_FOREIGN', exitCode: 2 }
    await expect(refuseForeignBucket(out, other)).rejects.toMatchObject(foreign)
    const path = join(out, '.pregen/storage.json')
    await writeFile(path, (await readFile(path, 'utf8')).replace('a.example', 'b.example\\n::error::x'))
    await expect(refuseForeignBucket(out, mine)).rejects.toMatchObject(foreign)
    await expect(refuseForeignBucket(out, mine)).rejects.not.toThrow(/\n/)
    await rememberBucket(out, STORAGE)
    await expect(refuseForeignBucket(out, mine)).rejects.toMatchObject(foreign)
  })

  it('or is named on the command line', () => {
    expect(namedBucket({ bucket: 'show', prefix: '/a//b/' })).toMatchObject({ bucket: 'show', prefix: 'a/b' })
    expect(() => namedBucket({ bucket: '../x' })).toThrow(expect.objectContaining({ code: 'E_BAD_BUCKET' }))
    expect(() => namedBucket({ bucket: 'x', prefix: 'a/../b' })).toThrow(
      expect.objectContaining({ code: 'E_PATH_ESCAPE' }),
    )
  })
})

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

  const deep = `{"bucket":"show","prefix":"","concurrency":16,"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  const climbs = '{"bucket":"show","prefix":"../other","concurrency":16}'
  it.each(['{ no json', '{"bucket":"show"}', 'null', climbs, deep])(
    'is not guessed from %s',
    async (text) => {
      const out = await temporaryFolder()
      await mkdir(join(out, '.pregen'))
      await writeFile(join(out, '.pregen/storage.json'), text)
      await expect(find(out)).rejects.toMatchObject({
        code: 'E_NO_BUCKET',
        message: expect.stringContaining('cannot be understood'),
      })
    },
  )
})
