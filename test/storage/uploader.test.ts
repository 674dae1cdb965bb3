import { mkdir, readFile, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Layout } from '../../src/artifacts/layout.ts'
import { type Ledger, openLedger } from '../../src/artifacts/ledger.ts'
import type { ErrorCode } from '../../src/error-codes.ts'
import { PregenError } from '../../src/errors.ts'
import { createMemoryStorage, type MemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { createUploader, type UploadEvent, type UploaderOptions } from '../../src/storage/uploader.ts'
import { createRandom } from '../support/seed.ts'
import { temporaryFolder } from '../support/temp.ts'
import { contentOf, testLayout, writeTestVariant } from '../support/variants.ts'

let layout: Layout
let ledger: Ledger
let memory: MemoryStorage
let events: UploadEvent[]
/** Every call that the store saw, in order. */
let calls: string[]

function watched(storage: Storage, before: (key: string) => Promise<void> | void = () => undefined): Storage {
  return {
    ...storage,
    async put(object, options) {
      calls.push(`put ${object.key}`)
      await before(object.key)
      return storage.put(object, options)
    },
    async delete(key) {
      calls.push(`delete ${key}`)
      await storage.delete(key)
    },
    async *list(prefix) {
      calls.push(`list ${prefix}`)
      yield* storage.list(prefix)
    },
  }
}

function uploader(storage: Storage, options: Partial<UploaderOptions> = {}) {
  return createUploader({
    storage,
    ledger,
    prefix: layout.prefix,
    emit: (event) => void events.push(event),
    ...options,
  })
}

beforeEach(async () => {
  layout = testLayout(await temporaryFolder())
  ledger = await openLedger(layout.state.ledgerPath)
  memory = createMemoryStorage()
  events = []
  calls = []
  return () => ledger.close()
})

const failure = (code: ErrorCode) => new PregenError(code, 'injected', { exitCode: 3 })

describe('uploader', () => {
  it('sends all files with their kinds, tells of each, and the manifest last', async () => {
    const upload = uploader(watched(memory))
    const variants = [
      await writeTestVariant(layout, 'dawn/wide', { steps: 3 }, ledger),
      await writeTestVariant(layout, 'dawn/close', { steps: 0 }, ledger),
    ]
    const done = variants.map((variant) => upload.add(variant))
    upload.setManifest(layout.manifestKey, Buffer.from('{}'))
    const summary = await upload.drain()
    expect(await Promise.all(done)).toEqual([true, true])
    expect(summary).toMatchObject({ uploaded: 7, skipped: 0, failures: [], pending: 0 })
    expect(calls.filter((call) => call.startsWith('put')).at(-1)).toBe(`put ${layout.manifestKey}`)
    for (const { key, files } of variants) {
      for (const { name, sizeBytes } of files) {
        const object = memory.objects.get(`${key}/${name}`)
        expect(object?.sizeBytes).toBe(sizeBytes)
        expect(object?.contentType).toBe(name.endsWith('.png') ? 'image/png' : 'application/json')
        expect(object?.cacheControl).toBe(
          name.endsWith('.png') ? 'public, max-age=31536000, immutable' : 'no-cache',
        )
      }
    }
    const uploaded = events.filter((event) => event.type === 'object-uploaded')
    expect(uploaded).toHaveLength(7)
    expect(uploaded[0]).toMatchObject({ attempts: 1, sizeBytes: 300 })
  })

  it('sends each timing.json only when the rest of its variant is confirmed', async () => {
    const random = createRandom('an uneven store')
    // Looked at when all is done: what is thrown inside the store is a failure to try again.
    const early: string[] = []
    let markers = 0
    const storage = watched(memory, async (key) => {
      if (!key.endsWith('timing.json')) return sleep(random() * 5)
      markers += 1
      const names = ['1.png', '2.png', '3.png', 'final.png']
      const others = names.map((name) => key.replace('timing.json', name))
      early.push(...others.filter((other) => !memory.objects.has(other)))
    })
    const upload = uploader(storage, { concurrency: 4 })
    for (let i = 0; i < 12; i++) {
      void upload.add(await writeTestVariant(layout, `dawn/seed-${i}`, { steps: 3 }, ledger))
    }
    expect(await upload.drain()).toMatchObject({ uploaded: 60, failures: [], pending: 0 })
    expect([markers, early]).toEqual([12, []])
  })

  it('asks the store nothing at all when everything has been sent', async () => {
    const variant = await writeTestVariant(layout, 'dawn/wide', { steps: 3 }, ledger)
    const first = uploader(memory)
    void first.add(variant)
    first.setManifest(layout.manifestKey, Buffer.from('{}'))
    await first.drain()
    const second = uploader(watched(memory))
    void second.add(variant)
    second.setManifest(layout.manifestKey, Buffer.from('{}'))
    expect(await second.drain()).toMatchObject({ uploaded: 0, skipped: 6, failures: [], pending: 0 })
    expect(calls).toEqual([])
  })

  it('sends to another store what only the first has', async () => {
    const variant = await writeTestVariant(layout, 'dawn/wide', { steps: 1 }, ledger)
    for (const [description, count] of [
      ['s3://a', 3],
      ['s3://b', 3],
      ['s3://a', 0],
    ] as const) {
      const upload = uploader({ ...memory, description })
      void upload.add(variant)
      expect((await upload.drain()).uploaded).toBe(count)
    }
  })

  it('sends same-size files of another content, having taken the old marker back first', async () => {
    const first = uploader(memory)
    void first.add(await writeTestVariant(layout, 'dawn/wide', { steps: 2, mark: 'a' }, ledger))
    await first.drain()
    const changed = await writeTestVariant(layout, 'dawn/wide', { steps: 2, mark: 'b' }, ledger)
    const second = uploader(watched(memory))
    void second.add(changed)
    // The timing is the same, yet it was taken back and must come again.
    expect(await second.drain()).toMatchObject({ uploaded: 4, failures: [] })
    expect(calls[0]).toBe(`delete ${changed.key}/timing.json`)
    expect(calls.at(-1)).toBe(`put ${changed.key}/timing.json`)
    expect(await memory.get(`${changed.key}/1.png`)).toEqual(
      Uint8Array.from(contentOf('dawn/wide/1.png', 'b', 300)),
    )
  })

  it('removes step pictures that a shorter rerun has not, and the marker of a variant that lost its previews', async () => {
    const keys = async () =>
      [...memory.objects.keys()].map((key) => key.slice(key.lastIndexOf('/') + 1)).sort()
    for (const [steps, expected] of [
      [4, ['1.png', '2.png', '3.png', '4.png', 'final.png', 'timing.json']],
      [2, ['1.png', '2.png', 'final.png', 'timing.json']],
      [0, ['final.png']],
    ] as const) {
      const upload = uploader(memory)
      void upload.add(await writeTestVariant(layout, 'dawn/wide', { steps }, ledger))
      await upload.drain()
      expect(await keys()).toEqual(expected)
    }
  })

  it('takes back the marker in a store that only another machine knows', async () => {
    const before = await writeTestVariant(layout, 'dawn/wide', { steps: 2, mark: 'a' })
    const first = uploader(memory, { ledger: undefined })
    void first.add(before)
    await first.drain()
    calls = []
    const second = uploader(watched(memory))
    void second.add(await writeTestVariant(layout, 'dawn/wide', { steps: 2, mark: 'b' }, ledger))
    expect(await second.drain()).toMatchObject({ failures: [], pending: 0 })
    expect(calls[0]).toBe(`list ${layout.prefix}/`)
    expect(calls[1]).toBe(`delete ${before.key}/timing.json`)
  })

  it('mends what the store lost or holds wrongly, when asked to look', async () => {
    const variant = await writeTestVariant(layout, 'dawn/wide', { steps: 3 }, ledger)
    const first = uploader(memory)
    void first.add(variant)
    await first.drain()
    await memory.delete(`${variant.key}/2.png`)
    await memory.put({
      key: `${variant.key}/3.png`,
      body: contentOf('another', 'x', 300),
      contentType: '',
      cacheControl: '',
    })
    const second = uploader(watched(memory), { verifyRemote: true })
    void second.add(variant)
    expect(await second.drain()).toMatchObject({ uploaded: 3, skipped: 2, failures: [] })
    expect(calls.filter((call) => call.startsWith('put')).map((call) => call.slice(-6))).toEqual(
      expect.arrayContaining(['/2.png', '/3.png', 'g.json']),
    )
    for (const { name } of variant.files) {
      expect(Buffer.from((await memory.get(`${variant.key}/${name}`)) ?? [])).toEqual(
        await readFile(join(variant.folder, name)),
      )
    }
  })

  it('collects failures, sends the rest, and neither marker nor manifest of what failed', async () => {
    const storage = watched(memory, (key) => {
      if (key.endsWith('bad/2.png')) throw failure('E_ACCESS_DENIED')
    })
    const upload = uploader(storage)
    const bad = upload.add(await writeTestVariant(layout, 'dawn/bad', { steps: 3 }, ledger))
    const good = upload.add(await writeTestVariant(layout, 'dawn/good', { steps: 3 }, ledger))
    upload.setManifest(layout.manifestKey, Buffer.from('{}'))
    const summary = await upload.drain()
    expect([await bad, await good]).toEqual([false, true])
    expect(summary.failures.map(({ key, error }) => [key, error.code])).toEqual([
      [`${layout.prefix}/cues/dawn/bad/2.png`, 'E_ACCESS_DENIED'],
    ])
    // The bad variant's marker and the manifest.
    expect(summary.pending).toBe(2)
    expect(memory.objects.has(`${layout.prefix}/cues/dawn/bad/timing.json`)).toBe(false)
    expect(memory.objects.has(`${layout.prefix}/cues/dawn/good/timing.json`)).toBe(true)
    expect(memory.objects.has(layout.manifestKey)).toBe(false)
    expect(events.filter((event) => event.type === 'upload-failed')).toHaveLength(1)
  })

  it('tries once more at the end what failed in passing', async () => {
    let isOut = true
    const storage = watched(memory, () => {
      if (isOut) throw failure('E_UPLOAD_TIMEOUT')
    })
    const upload = uploader(storage)
    let outcome: boolean | undefined
    const added = upload.add(await writeTestVariant(layout, 'dawn/wide', { steps: 2 }, ledger))
    void added.then((isSent) => {
      outcome = isSent
    })
    while (calls.filter((call) => call.startsWith('put')).length < 3) await sleep(1)
    await sleep(20)
    // Not dealt with: a callback about the unit waits for the second round.
    expect(outcome).toBeUndefined()
    expect(events.filter((event) => event.type === 'upload-failed')).toEqual([])
    isOut = false
    expect(await upload.drain()).toMatchObject({ uploaded: 4, failures: [], pending: 0 })
    expect(await added).toBe(true)
  })

  it('remembers what was confirmed before a failure', async () => {
    const variant = await writeTestVariant(layout, 'dawn/wide', { steps: 3 }, ledger)
    const first = uploader(
      watched(memory, (key) => {
        if (key.endsWith('/2.png')) throw failure('E_ACCESS_DENIED')
      }),
    )
    void first.add(variant)
    await first.drain()
    calls = []
    const second = uploader(watched(memory))
    void second.add(variant)
    await second.drain()
    expect(calls).toEqual([`put ${variant.key}/2.png`, `put ${variant.key}/timing.json`])
  })

  it('does not pass off a file that changed since it was written', async () => {
    const variant = await writeTestVariant(layout, 'dawn/wide', { steps: 2 }, ledger)
    await writeFile(join(variant.folder, '1.png'), contentOf('dawn/wide/1.png', 'z', 300))
    await unlink(join(variant.folder, '2.png'))
    const upload = uploader(memory)
    void upload.add(variant)
    const { failures } = await upload.drain()
    expect(failures.map(({ error }) => error.code).sort()).toEqual(['E_FILE_CHANGED', 'E_UPLOAD_FAILED'])
    expect(memory.objects.has(`${variant.key}/1.png`)).toBe(false)
    expect(memory.objects.has(`${variant.key}/timing.json`)).toBe(false)
  })

  it('holds no more bytes than its budget, yet lets a larger file through alone', async () => {
    let peak = 0
    let open = 0
    const upload = uploader(
      watched(memory, async () => {
        open += 1
        peak = Math.max(peak, upload.progress().heldBytes)
        await sleep(2)
        open -= 1
      }),
      { maxBytesInFlight: 1000, concurrency: 16 },
    )
    for (let i = 0; i < 4; i++) {
      void upload.add(await writeTestVariant(layout, `dawn/s-${i}`, { steps: 4, bytes: 400 }, ledger))
    }
    void upload.add(await writeTestVariant(layout, 'dawn/large', { steps: 1, bytes: 5000 }, ledger))
    expect(await upload.drain()).toMatchObject({ uploaded: 27, failures: [] })
    expect(peak).toBeLessThanOrEqual(5000)
    expect(peak).toBeGreaterThanOrEqual(800)
    expect(open).toBe(0)
    expect(upload.progress().heldBytes).toBe(0)
  })

  it('never has more requests open than its concurrency', async () => {
    let open = 0
    let peak = 0
    const upload = uploader(
      watched(memory, async () => {
        open += 1
        peak = Math.max(peak, open)
        await sleep(1)
        open -= 1
      }),
      { concurrency: 3 },
    )
    for (let i = 0; i < 5; i++) {
      void upload.add(await writeTestVariant(layout, `dawn/s-${i}`, { steps: 5 }, ledger))
    }
    await upload.drain()
    expect(peak).toBe(3)
  })

  it('stops at its deadline and says what is left', async () => {
    const hanging: Storage = {
      ...memory,
      put: (object, { signal } = {}) =>
        object.key.includes('/stuck/')
          ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
          : memory.put(object),
    }
    const upload = uploader(hanging)
    void upload.add(await writeTestVariant(layout, 'dawn/quick', { steps: 1 }, ledger))
    void upload.add(await writeTestVariant(layout, 'dawn/stuck', { steps: 1 }, ledger))
    upload.setManifest(layout.manifestKey, Buffer.from('{}'))
    // Nothing else ends the request that hangs.
    const summary = await upload.drain({ deadlineMs: 100 })
    expect(summary).toMatchObject({ uploaded: 3, failures: [], pending: 4 })
    expect(events.filter((event) => event.type === 'upload-failed')).toEqual([])
  })

  it('heeds an abort signal', async () => {
    const controller = new AbortController()
    const upload = uploader(memory, { signal: controller.signal })
    controller.abort()
    expect(await upload.add(await writeTestVariant(layout, 'dawn/wide', { steps: 1 }, ledger))).toBe(false)
    expect(await upload.drain()).toMatchObject({ uploaded: 0, pending: 3 })
    expect(memory.objects.size).toBe(0)
  })

  it('gives up, once and clearly, on a store that confirms nothing any more', async () => {
    const hanging: Storage = {
      ...memory,
      put: (_, { signal } = {}) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    }
    const upload = uploader(hanging, { stallMs: 80 })
    for (let i = 0; i < 20; i++) {
      void upload.add(await writeTestVariant(layout, `dawn/s-${i}`, { steps: 1 }, ledger))
    }
    const { failures, pending } = await upload.drain()
    expect(failures.map(({ error }) => error.code)).toEqual(['E_UPLOAD_STALLED'])
    expect(pending).toBe(60)
    expect(events.filter((event) => event.type === 'upload-failed')).toHaveLength(1)
  })

  it('gives up just so where the store does not even list', async () => {
    const hanging: Storage = {
      ...memory,
      async *list(_, { signal } = {}) {
        await new Promise((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason)),
        )
      },
    }
    const upload = uploader(hanging, { stallMs: 80 })
    void upload.add(await writeTestVariant(layout, 'dawn/wide', { steps: 1 }, ledger))
    expect((await upload.drain()).failures.map(({ error }) => error.code)).toEqual(['E_UPLOAD_STALLED'])
  })

  it('asks again for a listing that failed in passing', async () => {
    let lists = 0
    const shaky: Storage = {
      ...memory,
      async *list(prefix) {
        lists += 1
        if (lists === 1) throw failure('E_UPLOAD_TIMEOUT')
        yield* memory.list(prefix)
      },
    }
    const upload = uploader(shaky)
    void upload.add(await writeTestVariant(layout, 'dawn/wide', { steps: 1 }, ledger))
    expect(await upload.drain()).toMatchObject({ uploaded: 3, failures: [], pending: 0 })
    expect(lists).toBe(2)
  })

  it('goes on where nothing may be listed or deleted, with one warning each', async () => {
    const strict: Storage = {
      ...memory,
      // biome-ignore lint/correctness/useYield: it is refused before the first.
      async *list() {
        throw failure('E_ACCESS_DENIED')
      },
      delete: async () => {
        throw failure('E_ACCESS_DENIED')
      },
    }
    for (const mark of ['a', 'b']) {
      const upload = uploader(strict)
      void upload.add(await writeTestVariant(layout, 'dawn/wide', { steps: 2, mark }, ledger))
      void upload.add(await writeTestVariant(layout, 'dawn/close', { steps: 2, mark }, ledger))
      expect(await upload.drain()).toMatchObject({ failures: [], pending: 0 })
    }
    expect(events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))).toEqual([
      'W_LIST_DENIED',
      'W_DELETE_DENIED',
    ])
  })

  it('does not read files before their turn', async () => {
    const variant = await writeTestVariant(layout, 'dawn/wide', { steps: 0 }, ledger)
    const touched = new Date(1000)
    await mkdir(variant.folder, { recursive: true })
    await utimes(join(variant.folder, 'final.png'), touched, touched)
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const upload = uploader(
      watched(memory, () => gate),
      { concurrency: 1 },
    )
    void upload.add(variant)
    void upload.add(await writeTestVariant(layout, 'dawn/next', { steps: 0 }, ledger))
    await sleep(20)
    expect(upload.progress()).toMatchObject({ unfinishedFolders: 2, heldBytes: 300 })
    release()
    await upload.drain()
  })
})
