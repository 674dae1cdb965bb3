/** One contract for all stores: the same suite over memory, disk and S3. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDiskStorage } from '../../src/storage/disk.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { prefixStorage } from '../../src/storage/prefixed.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import type { Storage, StorageObject } from '../../src/storage/storage.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'

let moto: MotoServer
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pregen-contract-'))
  moto = await startMoto()
  await moto.createBucket('contract')
})
afterAll(async () => {
  await moto.stop()
  await rm(folder, { recursive: true, force: true })
})

const members: Record<string, () => Storage> = {
  memory: () => createMemoryStorage(),
  'memory under a prefix': () => prefixStorage(createMemoryStorage(), 'shows/autumn'),
  disk: () => createDiskStorage(join(folder, 'store')),
  s3: () => createS3Storage({ bucket: 'contract', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS }),
}

function object(key: string, body: Uint8Array): StorageObject {
  return { key, body, contentType: 'image/png', cacheControl: 'no-cache' }
}

const bytesOf = (text: string) => new TextEncoder().encode(text)
const md5Of = (body: Uint8Array) => createHash('md5').update(body).digest('hex')

async function keysUnder(storage: Storage, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of storage.list(prefix)) keys.push(key)
  return keys
}

describe.each(Object.entries(members))('%s storage', (kind, create) => {
  let storage: Storage
  beforeAll(() => {
    storage = create()
  })
  afterAll(() => storage.close())

  it('says what it is', () => {
    expect(storage.kind).toBe(kind.split(' ')[0])
    expect(storage.description).not.toBe('')
  })

  it('passes its preflight without a warning and leaves nothing behind', async () => {
    expect(await storage.preflight()).toEqual([])
    expect(await keysUnder(storage, '')).toEqual([])
  })

  it('gives back what was put, byte for byte', async () => {
    const body = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31) & 0xff)
    const result = await storage.put(object('foigoi/v/cues/dawn/wide/final.png', body))
    expect(result.attempts).toBe(1)
    // The disk names no version of what it holds; every other store answers with the MD5.
    expect(result.etag).toBe(kind === 'disk' ? null : md5Of(body))
    expect(await storage.get('foigoi/v/cues/dawn/wide/final.png')).toEqual(body)
    const head = await storage.head('foigoi/v/cues/dawn/wide/final.png')
    expect(head?.sizeBytes).toBe(70_000)
    expect(head?.md5).toBe(kind === 'disk' ? null : md5Of(body))
  })

  it('stores an empty object', async () => {
    await storage.put(object('foigoi/v/empty', new Uint8Array()))
    expect(await storage.get('foigoi/v/empty')).toEqual(new Uint8Array())
    await storage.delete('foigoi/v/empty')
  })

  it('does not keep hold of the bytes it was given', async () => {
    const body = bytesOf('before')
    await storage.put(object('foigoi/v/kept', body))
    body.fill(0)
    expect(await storage.get('foigoi/v/kept')).toEqual(bytesOf('before'))
    await storage.delete('foigoi/v/kept')
  })

  it('replaces an object whole', async () => {
    await storage.put(object('foigoi/v/a', bytesOf('a long first content')))
    await storage.put(object('foigoi/v/a', bytesOf('short')))
    expect(await storage.get('foigoi/v/a')).toEqual(bytesOf('short'))
  })

  it('answers null for what is not there', async () => {
    expect(await storage.head('foigoi/v/none')).toBeNull()
    expect(await storage.get('foigoi/v/none')).toBeNull()
    expect(await keysUnder(storage, 'foigoi/other/')).toEqual([])
  })

  it('lists by prefix in byte order, ids in many scripts included', async () => {
    const keys = [
      'foigoi/list/é/1.png',
      'foigoi/list/a b/1.png',
      'foigoi/list/𝄞/1.png',
      'foigoi/list/晨/1.png',
    ]
    for (const key of keys) await storage.put(object(key, bytesOf(key)))
    await storage.put(object('foigoi/listed/1.png', bytesOf('x')))
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await keysUnder(storage, 'foigoi/list/')).toEqual(sorted)
  })

  it('replaces what was read, and nothing that another has put there since', async () => {
    const key = 'foigoi/v/shared'
    expect(await storage.read(key)).toBeNull()
    expect(await storage.replace(object(key, bytesOf('first')), null)).toMatchObject({ attempts: 1 })
    expect(await storage.replace(object(key, bytesOf('late')), null)).toBeNull()
    const first = await storage.read(key)
    expect(first?.body).toEqual(bytesOf('first'))
    await storage.put(object(key, bytesOf('other')))
    expect(await storage.replace(object(key, bytesOf('late')), first?.etag ?? null)).toBeNull()
    const other = await storage.read(key)
    expect(other?.body).toEqual(bytesOf('other'))
    expect(await storage.replace(object(key, bytesOf('next')), other?.etag ?? null)).not.toBeNull()
    expect(await storage.get(key)).toEqual(bytesOf('next'))
    await storage.delete(key)
    expect(await storage.replace(object(key, bytesOf('late')), other?.etag ?? null)).toBeNull()
    expect(await storage.get(key)).toBeNull()
  })

  it('knows whether that holds against other writers, and leaves no probe', async () => {
    expect(await storage.heedsConditions()).toBe(kind !== 'disk')
    const left = await keysUnder(storage, '')
    expect(left.filter((key) => key.includes('.pregen-probe'))).toEqual([])
  })

  it('deletes, and does not mind what is gone', async () => {
    await storage.put(object('foigoi/v/gone', bytesOf('x')))
    await storage.delete('foigoi/v/gone')
    await storage.delete('foigoi/v/gone')
    expect(await storage.head('foigoi/v/gone')).toBeNull()
  })

  it('heeds an abort signal', async () => {
    const put = storage.put(object('foigoi/v/aborted', bytesOf('x')), { signal: AbortSignal.abort() })
    await expect(put).rejects.toThrow()
    expect(await storage.head('foigoi/v/aborted')).toBeNull()
  })
})

it('S3 lists past a page of 1000 keys', async () => {
  await moto.createBucket('pages')
  const storage = createS3Storage({ bucket: 'pages', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
  const keys = Array.from({ length: 1010 }, (_, i) => `foigoi/p/${String(i).padStart(4, '0')}`)
  for (let i = 0; i < keys.length; i += 16) {
    await Promise.all(keys.slice(i, i + 16).map((key) => storage.put(object(key, bytesOf('x')))))
  }
  expect(await keysUnder(storage, 'foigoi/p/')).toEqual(keys)
  await storage.close()
})
