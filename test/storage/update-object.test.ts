import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type UpdateOptions, updateObject } from '../../src/storage/update-object.ts'
import { type FaultyBucket, startFaultyBucket } from '../support/bucket.ts'
import { TEST_CREDENTIALS } from '../support/moto.ts'

const KEY = 'foigoi/v/manifest.json'
const OBJECT = { key: KEY, contentType: 'application/json', cacheControl: 'no-cache' }
const textOf = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString('utf8')

/** Adds a word to the sorted words that stand there. */
const adding = (word: string) => (there: Uint8Array | null) =>
  Buffer.from([...new Set([...textOf(there).split(' '), word])].sort().join(' ').trim())
const add = (storage: Storage, word: string, options: Partial<UpdateOptions> = {}) =>
  updateObject(storage, OBJECT, adding(word), { onUnguarded: () => undefined, ...options })
const wordsIn = async (storage: Storage) => textOf(await storage.get(KEY)).split(' ')

/** A store on which the first `count` readers wait for each other: none writes before all have read. */
function gathered(storage: Storage, count: number): Storage {
  let readers = 0
  let open: () => void = () => undefined
  const all = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    ...storage,
    async read(key, options) {
      const there = await storage.read(key, options)
      readers += 1
      if (readers === count) open()
      await all
      return there
    },
  }
}

const WORDS = Array.from({ length: 16 }, (_, i) => `w${String(i).padStart(2, '0')}`)

describe('one object, many writers', () => {
  it('loses nothing when all have read before any writes', async () => {
    const memory = createMemoryStorage()
    const storage = gathered(memory, WORDS.length)
    const results = await Promise.all(WORDS.map((word) => add(storage, word)))
    expect(await wordsIn(memory)).toEqual(WORDS)
    expect(results.filter(({ put }) => put === null)).toEqual([])
  })

  it('writes nothing where all of it stands already', async () => {
    const memory = createMemoryStorage()
    await add(memory, 'a')
    expect(await add(memory, 'a')).toMatchObject({ put: null })
  })

  it('gives up, and says so, when others win without end', async () => {
    const memory = createMemoryStorage()
    const storage: Storage = { ...memory, replace: async () => null }
    await expect(add(storage, 'a', { deadlineMs: 100 })).rejects.toMatchObject({ code: 'E_UPLOAD_CONTESTED' })
  })

  it('heeds its signal while it waits', async () => {
    const memory = createMemoryStorage()
    const storage: Storage = { ...memory, replace: async () => null }
    const abort = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => abort.abort(reason), 50)
    await expect(add(storage, 'a', { signal: abort.signal })).rejects.toBe(reason)
  })

  it('without conditional writes says so, and puts back what another undid', async () => {
    const memory = createMemoryStorage()
    const storage: Storage = { ...gathered(memory, 2), heedsConditions: async () => false }
    let warnings = 0
    const options = { onUnguarded: () => void warnings++, settleMs: 20 }
    await Promise.all(['a', 'b'].map((word) => add(storage, word, options)))
    expect(await wordsIn(memory)).toEqual(['a', 'b'])
    expect(warnings).toBe(2)
  })
})

describe('against a real S3 server', () => {
  let bucket: FaultyBucket
  beforeAll(async () => {
    bucket = await startFaultyBucket()
    await bucket.moto.createBucket('shared')
  })
  afterAll(() => bucket.stop())

  it('loses nothing when all have read before any writes', async () => {
    const storage = bucket.open('shared')
    // The server looks and stores in two steps; one PUT of the object at a time makes them one, as S3's are.
    let turn: Promise<unknown> = Promise.resolve()
    bucket.proxy.setHold(({ method, path }) => {
      if (method !== 'PUT' || !path.endsWith(KEY)) return
      const mine = turn
      turn = mine.then(() => sleep(10)).then(() => bucket.proxy.settled())
      return mine.then(() => undefined)
    })
    await storage.heedsConditions()
    const words = WORDS.slice(0, 6)
    const waiting = gathered(storage, words.length)
    await Promise.all(words.map((word) => add(waiting, word)))
    expect(await wordsIn(storage)).toEqual(words)
    bucket.proxy.setHold(() => undefined)
    await storage.delete(KEY)
    await storage.close()
  })

  it('takes a PUT whose answer was lost for its own', async () => {
    const storage = bucket.open('shared')
    await storage.heedsConditions()
    bucket.proxy.setFaults(({ method, path }) => {
      const isFirst = method === 'PUT' && path.endsWith(KEY)
      if (isFirst) bucket.proxy.setFaults(() => null)
      return isFirst ? 'reset-after' : null
    })
    const { body, put } = await add(storage, 'a')
    expect([textOf(body), put]).toEqual(['a', null])
    expect(await wordsIn(storage)).toEqual(['a'])
    await storage.close()
  })
})

describe('whether a store heeds conditions', () => {
  /** A store that takes every PUT, but for those with a condition, which it answers as told. */
  async function storeThat(answer: (request: IncomingMessage) => { status: number; code: string } | null) {
    let requests = 0
    const server = createServer((request, response) => {
      request.resume()
      request.on('end', () => {
        requests += 1
        const { 'if-match': match, 'if-none-match': noneMatch } = request.headers
        const refusal = match !== undefined || noneMatch !== undefined ? answer(request) : null
        if (refusal) {
          const { status, code } = refusal
          response.writeHead(status, { 'content-type': 'application/xml' })
          return void response.end(`<Error><Code>${code}</Code><Message>no</Message></Error>`)
        }
        const md5 = Buffer.from(String(request.headers['content-md5'] ?? ''), 'base64').toString('hex')
        response.writeHead(request.method === 'DELETE' ? 204 : 200, { etag: `"${md5}"` })
        response.end()
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const endpoint = `http://127.0.0.1:${address.port}`
    const storage = createS3Storage({ bucket: 'show', endpoint, credentials: TEST_CREDENTIALS })
    return {
      storage,
      requests: () => requests,
      async stop() {
        await storage.close()
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      },
    }
  }
  const refused = { status: 412, code: 'PreconditionFailed' }

  it.each([
    ['refuses both', () => refused, true],
    ['ignores them', () => null, false],
    [
      'knows If-None-Match alone',
      (headers: string[]) => (headers.includes('if-match') ? null : refused),
      false,
    ],
    ['answers 501', () => ({ status: 501, code: 'NotImplemented' }), false],
    ['answers 400', () => ({ status: 400, code: 'InvalidArgument' }), false],
  ] as const)('%s', async (_, answer, expected) => {
    const store = await storeThat((request) => answer(Object.keys(request.headers)))
    try {
      expect(await store.storage.heedsConditions()).toBe(expected)
      // Neither tried for minutes nor asked twice.
      const asked = store.requests()
      expect(asked).toBeLessThanOrEqual(4)
      expect(await store.storage.heedsConditions()).toBe(expected)
      expect(store.requests()).toBe(asked)
    } finally {
      await store.stop()
    }
  })
})
