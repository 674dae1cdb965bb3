import { cp, mkdir, readFile, rm, unlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { PAGE_NAMES } from '../../src/artifacts/file-names.ts'
import type { Layout } from '../../src/artifacts/layout.ts'
import { type Ledger, openLedger, readLedger } from '../../src/artifacts/ledger.ts'
import { createManifest, encodeManifest } from '../../src/artifacts/manifest.ts'
import { createMemoryStorage, type MemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { uploadTree } from '../../src/storage/upload-tree.ts'
import { verifyTree } from '../../src/storage/verify-tree.ts'
import { temporaryFolder } from '../support/temp.ts'
import {
  contentOf,
  testAssetOf,
  testLayout,
  type WrittenVariant,
  writeTestVariant,
} from '../support/variants.ts'

let layout: Layout
let ledger: Ledger
let memory: MemoryStorage
let variants: WrittenVariant[]

beforeEach(async () => {
  layout = testLayout(await temporaryFolder())
  ledger = await openLedger(layout.state.ledgerPath)
  memory = createMemoryStorage()
  variants = []
  for (const name of ['a', 'b', 'c']) {
    variants.push(await writeTestVariant(layout, `dawn/${name}`, { steps: 2 }, ledger))
  }
  await writeFile(layout.manifestPath, encodeManifest(createManifest('v1', variants.map(testAssetOf))))
  return () => ledger.close()
})

interface Upload {
  storage?: Storage
  ledger?: Ledger
  verifyRemote?: boolean
  pageFolder?: string
}
const upload = (options: Upload = {}) =>
  uploadTree({ out: layout.out, storage: memory, ledger, emit: () => undefined, ...options })
const verify = (storage?: Storage) => verifyTree({ out: layout.out, ledger, storage })
const path = (variant: string, name: string) => layout.filePath('dawn', variant, name)
const key = (variant: string, name: string) => layout.fileKey('dawn', variant, name)

describe('upload of a tree', () => {
  it('sends all of it, manifest included, and the second time nothing', async () => {
    const whole = { variants: 3, failures: [], pending: 0, problems: [] }
    expect(await upload()).toMatchObject({ ...whole, uploaded: 13, skipped: 0 })
    expect(memory.objects.get(layout.manifestKey)?.body).toEqual(
      Uint8Array.from(await readFile(layout.manifestPath)),
    )
    expect(await upload()).toMatchObject({ ...whole, uploaded: 0, skipped: 13 })
  })

  it('sends a tree that came without its ledger', async () => {
    await ledger.close()
    await rm(layout.state.folder, { recursive: true })
    ledger = await openLedger(layout.state.ledgerPath)
    expect(await upload()).toMatchObject({ variants: 3, uploaded: 13, problems: [] })
    expect((await upload()).uploaded).toBe(0)
  })

  it('mends a bucket that lost or changed objects, when it looks', async () => {
    await upload()
    await memory.delete(key('a', '1.png'))
    await memory.delete(layout.manifestKey)
    expect((await upload()).uploaded).toBe(0)
    // The marker goes with it: taken back before, sent again after.
    expect(await upload({ verifyRemote: true })).toMatchObject({ uploaded: 3, failures: [] })
    expect((await verify(memory)).problems).toEqual([])
  })

  it('keeps back a variant that is not whole, and the manifest with it', async () => {
    await writeFile(path('a', '1.png'), contentOf('other', 'x', 301))
    await unlink(path('b', 'final.png'))
    const result = await upload()
    expect(result.problems.map(({ key: at, code }) => [at, code])).toEqual([
      [key('a', '1.png'), 'altered'],
      [key('b', 'final.png'), 'missing'],
    ])
    expect([...memory.objects.keys()].sort()).toEqual(
      ['1.png', '2.png', 'final.png', 'timing.json'].map((name) => key('c', name)),
    )
  })

  it('sends several versions side by side', async () => {
    await cp(dirname(layout.manifestPath), join(layout.out, 'foigoi/v2'), { recursive: true })
    expect(await upload()).toMatchObject({ variants: 6, uploaded: 26, problems: [] })
    expect(memory.objects.has('foigoi/v2/manifest.json')).toBe(true)
  })
})

describe('verify of a tree', () => {
  const found = async (storage?: Storage) =>
    (await verify(storage)).problems.map(({ where, key: at, code }) => `${where} ${code} ${at.slice(15)}`)

  it('finds nothing wrong where nothing is', async () => {
    expect(await verify()).toEqual({ variants: 3, files: 12, objects: null, problems: [] })
    await upload()
    expect(await verify(memory)).toEqual({ variants: 3, files: 12, objects: 13, problems: [] })
  })

  it('re-hashes what looks untouched', async () => {
    const file = variants[0]?.files.find(({ name }) => name === '1.png')
    await writeFile(path('a', '1.png'), contentOf('dawn/a/1.png', 'z', 300))
    await utimes(path('a', '1.png'), (file?.mtimeMs ?? 0) / 1000, (file?.mtimeMs ?? 0) / 1000)
    expect(await found()).toEqual(['disk altered dawn/a/1.png'])
  })

  it('tells what is missing, extra, or promised in vain', async () => {
    await unlink(path('a', '2.png'))
    await writeFile(path('b', '9.png'), 'x')
    await writeFile(path('c', 'timing.json'), '{}')
    expect(await found()).toEqual([
      'disk missing dawn/a/2.png',
      'disk unexpected dawn/b/9.png',
      'disk altered dawn/c/timing.json',
    ])
  })

  it('tells of variants whose previews failed', async () => {
    const [first] = variants
    if (!first) throw new Error('no variant')
    await ledger.recordUnit(first.key, { digest: 'd', parts: {}, files: first.files, complete: false })
    expect(await found()).toEqual(['disk incomplete dawn/a'])
  })

  it('holds the manifest to the files', async () => {
    await writeFile(
      layout.manifestPath,
      encodeManifest(createManifest('v1', variants.slice(1).map(testAssetOf))),
    )
    expect((await verify()).problems.map(({ message }) => message)).toEqual([
      'it does not list foigoi/v1/cues/dawn/a, which is no longer in the sheet, or came without its manifest',
    ])
    const [a, b, c] = variants.map(testAssetOf)
    if (!a || !b || !c) throw new Error('no assets')
    const wrong = { ...a, metadata: { ...a.metadata, sha256: 'ff' } }
    const extra = { ...c, variant: 'gone' }
    await writeFile(layout.manifestPath, encodeManifest(createManifest('v1', [wrong, b, c, extra])))
    expect((await verify()).problems.map(({ code }) => code)).toEqual(['altered', 'invalid'])
    await writeFile(layout.manifestPath, 'torn {')
    expect((await verify()).problems.map(({ code }) => code)).toEqual(['invalid'])
    await unlink(layout.manifestPath)
    expect((await verify()).problems.map(({ code }) => code)).toEqual(['missing'])
  })

  it('compares the bucket, checksums or not', async () => {
    await upload()
    const body = contentOf('other', 'x', 300)
    await memory.put({ key: key('a', '1.png'), body, contentType: '', cacheControl: '' })
    await memory.delete(key('b', 'timing.json'))
    await memory.put({ key: key('c', '7.png'), body, contentType: '', cacheControl: '' })
    const expected = [
      'bucket differs dawn/a/1.png',
      'bucket missing dawn/b/timing.json',
      'bucket unexpected dawn/c/7.png',
    ]
    expect(await found(memory)).toEqual(expected)
    const withoutSums: Storage = {
      ...memory,
      async *list(prefix) {
        for await (const object of memory.list(prefix)) yield { ...object, md5: null }
      },
    }
    expect(await found(withoutSums)).toEqual(expected)
  })

  it('reads a copied tree by its own markers', async () => {
    await unlink(path('a', '2.png'))
    await unlink(path('b', 'final.png'))
    const empty = await readLedger(join(layout.out, 'none'))
    const { problems } = await verifyTree({ out: layout.out, ledger: empty })
    expect(problems.map(({ key: at, code }) => `${code} ${at.slice(15)}`)).toEqual([
      'missing dawn/a/2.png',
      'incomplete dawn/b',
      'missing dawn/b/final.png',
    ])
  })
})

describe('the page of a version', () => {
  const names = [...PAGE_NAMES]
  const pageKey = (name: string) => `${dirname(layout.manifestKey)}/${name}`
  const pagePath = (name: string) => join(dirname(layout.manifestPath), name)

  async function builtPage(): Promise<string> {
    const folder = join(await temporaryFolder(), 'page')
    await mkdir(folder)
    for (const name of names) await writeFile(join(folder, name), `<html data-home="served"> ${name}`)
    return folder
  }

  it('is sent last of all where the folder has it, in this release, whatever stood there', async () => {
    const pageFolder = await builtPage()
    await upload({ pageFolder })
    expect(memory.objects.has(pageKey('index.html'))).toBe(false)
    await writeFile(pagePath('index.html'), '<script>of somebody else</script>')
    const sent: string[] = []
    const emit = (event: { type: string; key?: string }) => {
      if (event.type === 'object-uploaded') sent.push(event.key ?? '')
    }
    const first = await uploadTree({ out: layout.out, storage: memory, ledger, emit, pageFolder })
    expect(first).toMatchObject({ uploaded: 5, skipped: 13, failures: [], problems: [] })
    expect(sent).toEqual(names.map(pageKey))
    const stored = memory.objects.get(pageKey('index.html'))
    expect(Buffer.from(stored?.body ?? []).toString()).toBe('<html data-home="static"> index.html')
    expect(await readFile(pagePath('index.html'), 'utf8')).toBe('<html data-home="static"> index.html')
    expect(names.map((name) => memory.objects.get(pageKey(name))?.contentType)).toEqual([
      'text/javascript; charset=utf-8',
      'text/css; charset=utf-8',
      'image/svg+xml',
      'text/javascript; charset=utf-8',
      'text/html; charset=utf-8',
    ])
    expect(stored?.cacheControl).toBe('no-cache')
    expect(await upload({ pageFolder })).toMatchObject({ uploaded: 0, skipped: 18 })
    // Another ledger knows nothing: the store is asked.
    expect(await upload({ pageFolder, verifyRemote: true })).toMatchObject({ uploaded: 0, skipped: 18 })
    await memory.delete(pageKey('page.css'))
    expect(await upload({ pageFolder, verifyRemote: true })).toMatchObject({ uploaded: 1, skipped: 17 })
  })

  it('waits for a version that is whole in the bucket', async () => {
    await writeFile(pagePath('index.html'), '')
    await writeFile(path('a', 'final.png'), 'other')
    await upload({ pageFolder: await builtPage() })
    expect(memory.objects.has(pageKey('index.html'))).toBe(false)
  })

  it('is known to verify, which tells what it lacks here and there', async () => {
    const pageFolder = await builtPage()
    await writeFile(pagePath('index.html'), '')
    await upload({ pageFolder })
    expect((await verify(memory)).problems).toEqual([])
    await rm(pagePath('page.js'))
    expect((await verify(memory)).problems).toMatchObject([
      { where: 'disk', code: 'missing', key: pageKey('page.js') },
      { where: 'bucket', code: 'unexpected', key: pageKey('page.js') },
    ])
    await memory.delete(pageKey('icon.svg'))
    expect((await verify(memory)).problems).toContainEqual(
      expect.objectContaining({ where: 'bucket', code: 'missing', key: pageKey('icon.svg') }),
    )
  })
})
