/** Trees that somebody else made, sent by a user who trusts them with nothing: only what is ours goes out. */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Layout } from '../../src/artifacts/layout.ts'
import { type Ledger, openLedger, readLedger } from '../../src/artifacts/ledger.ts'
import { createManifest, encodeManifest } from '../../src/artifacts/manifest.ts'
import { openOrigin } from '../../src/artifacts/origin.ts'
import { createMemoryStorage, type MemoryStorage } from '../../src/storage/memory.ts'
import { contentAlone } from '../../src/storage/upload-folder.ts'
import { uploadTree } from '../../src/storage/upload-tree.ts'
import { createUploader } from '../../src/storage/uploader.ts'
import { verifyTree } from '../../src/storage/verify-tree.ts'
import { type Canary, createCanary, ODD_KINDS, placeOdd, SECRET } from '../support/canary.ts'
import { temporaryFolder } from '../support/temp.ts'
import {
  contentOf,
  testAssetOf,
  testLayout,
  type WrittenVariant,
  writeTestVariant,
} from '../support/variants.ts'

let folder: string
let layout: Layout
let canary: Canary
let memory: MemoryStorage
let variant: WrittenVariant
let before: Record<string, string>

beforeEach(async () => {
  folder = await temporaryFolder()
  canary = createCanary(join(folder, 'canary'))
  layout = testLayout(join(folder, 'out'))
  memory = createMemoryStorage()
  const theirs = await openLedger(layout.state.ledgerPath, { origin: openOrigin(join(folder, 'theirs')) })
  variant = await writeTestVariant(layout, 'dawn/wide', { steps: 2 }, theirs)
  const close = await writeTestVariant(layout, 'dawn/close', { steps: 1 }, theirs)
  await theirs.close()
  writeFileSync(layout.manifestPath, encodeManifest(createManifest('v1', [variant, close].map(testAssetOf))))
  before = canary.state()
})

async function withLedger<T>(work: (ledger: Ledger) => Promise<T>): Promise<T> {
  const ledger = await openLedger(layout.state.ledgerPath, { origin: openOrigin(join(folder, 'mine')) })
  try {
    return await work(ledger)
  } finally {
    await ledger.close()
  }
}

const upload = () =>
  withLedger((ledger) => uploadTree({ out: layout.out, storage: memory, ledger, emit: () => undefined }))
const path = (name: string) => layout.filePath('dawn', 'wide', name)
const withoutLedger = () => rmSync(layout.state.folder, { recursive: true })

/** Nothing outside was read, changed or sent, and nothing but files of the whole variant left. */
function expectNothingFromOutside(): void {
  expect(canary.state()).toEqual(before)
  for (const [key, { body }] of memory.objects) {
    expect([key, Buffer.from(body).includes(SECRET)]).toEqual([key, false])
    expect(key).toMatch(/^foigoi\/v1\/(manifest\.json|cues\/dawn\/(wide|close)\/[a-z0-9]+\.(png|json))$/)
  }
}

const NAMES = ['1.png', 'final.png', 'timing.json', 'final.thumb.webp'] as const

describe('a tree from elsewhere', () => {
  it('is sent when it is what it says, its hashes made anew', async () => {
    expect(await upload()).toMatchObject({ variants: 2, uploaded: 8, problems: [], failures: [] })
    expectNothingFromOutside()
  })

  it.each(NAMES.flatMap((name) => ODD_KINDS.map((kind) => [name, kind] as const)))(
    'sends nothing of a variant whose %s is a %s, with the ledger or without',
    async (name, kind) => {
      rmSync(path(name), { force: true })
      placeOdd(kind, path(name), canary)
      before = canary.state()
      for (const isThere of [true, false]) {
        if (!isThere) withoutLedger()
        memory = createMemoryStorage()
        const { problems } = await upload()
        expect(problems.map(({ key }) => key)).toContain(`${variant.key}/${name}`)
        expect(
          (await verifyTree({ out: layout.out, ledger: await readLedger(layout.state.ledgerPath) })).problems,
        ).not.toEqual([])
        expectNothingFromOutside()
        if (name !== 'final.thumb.webp' || !isThere) {
          expect([...memory.objects.keys()].filter((key) => key.includes('/wide/'))).toEqual([])
        }
      }
    },
  )

  it.each(['foigoi', 'foigoi/v1', 'foigoi/v1/cues', 'foigoi/v1/cues/dawn', 'foigoi/v1/cues/dawn/wide'])(
    'sends nothing from behind a link at %s',
    async (place) => {
      const target = join(folder, 'elsewhere')
      renameSync(join(layout.out, place), target)
      copyFileSync(canary.picture, join(target, '..', 'x.png'))
      symlinkSync(target, join(layout.out, place))
      for (const isThere of [true, false]) {
        if (!isThere) withoutLedger()
        const { problems } = await upload()
        // A root that is a link is no version; from a version's folders down each link is told of.
        if (isThere || place.split('/').length > 3) expect(problems).not.toEqual([])
        expect([...memory.objects.keys()].filter((key) => key.includes('/wide/'))).toEqual([])
      }
    },
  )

  it('sends no file that has a second name outside', async () => {
    unlinkSync(path('final.png'))
    linkSync(canary.picture, path('final.png'))
    withoutLedger()
    before = canary.state()
    expect((await upload()).problems).toContainEqual(
      expect.objectContaining({
        key: `${variant.key}/final.png`,
        message: expect.stringContaining('second name'),
      }),
    )
    expectNothingFromOutside()
  })

  it.each([
    ['1.png', 'root:x:0:0:\n'],
    ['final.png', '<html></html>'],
    ['timing.json', '{"stepDurations":{"1":1,"2":1,"final":1},"token":"secret"}'],
    ['final.thumb.webp', 'RIFF....WEBP'],
  ])('sends no %s that is something else', async (name, text) => {
    writeFileSync(path(name), text)
    withoutLedger()
    const { problems } = await upload()
    expect(problems).toEqual([expect.objectContaining({ key: `${variant.key}/${name}`, code: 'invalid' })])
    expect([...memory.objects.keys()].filter((key) => key.includes('/wide/'))).toEqual([])
  })

  it.each(['torn {', '{"manifest_version":1}', '[]', '{"secret":1}'])(
    'sends no manifest that is %s',
    async (text) => {
      writeFileSync(layout.manifestPath, text)
      expect((await upload()).problems).toEqual([
        expect.objectContaining({ key: layout.manifestKey, code: 'invalid' }),
      ])
      expect(memory.objects.has(layout.manifestKey)).toBe(false)
    },
  )

  it.each(ODD_KINDS)('sends no manifest that is a %s', async (kind) => {
    unlinkSync(layout.manifestPath)
    placeOdd(kind, layout.manifestPath, canary)
    before = canary.state()
    await upload()
    expect(memory.objects.has(layout.manifestKey)).toBe(false)
    expectNothingFromOutside()
  })

  it('is not read without end', async () => {
    truncateSync(path('final.png'), 2 ** 40)
    truncateSync(path('timing.json'), 2 ** 33)
    const from = performance.now()
    for (const isThere of [true, false]) {
      if (!isThere) withoutLedger()
      const { problems } = await upload()
      expect(problems.map(({ key }) => key).sort()).toEqual([
        `${variant.key}/final.png`,
        `${variant.key}/timing.json`,
      ])
    }
    expect(performance.now() - from).toBeLessThan(20_000)
  })
})

describe('a ledger from elsewhere', () => {
  /** A ledger's line that says of a file all that `stat` tells, and a hash of nothing. */
  function forge(key: string, name: string, file: string): void {
    const { size, mtimeMs } = lstatSync(file)
    const sums = { sha256: 'ab'.repeat(32), md5: 'ab'.repeat(16) }
    const unit = { digest: 'd', parts: {}, files: [{ name, ...sums, sizeBytes: size, mtimeMs }] }
    const mark = '0'.repeat(32)
    mkdirSync(dirname(layout.state.ledgerPath), { recursive: true })
    writeFileSync(layout.state.ledgerPath, `${JSON.stringify({ type: 'unit', key, unit, mark })}\n`)
  }

  it('is not believed in what a file holds', async () => {
    writeFileSync(path('final.png'), contentOf(SECRET, SECRET, 300))
    forge(variant.key, 'final.png', path('final.png'))
    expect((await upload()).problems).toContainEqual(
      expect.objectContaining({ key: `${variant.key}/final.png`, code: 'altered' }),
    )
    expectNothingFromOutside()
  })

  it.each([
    ['../canary/cues/live/dawn', 'final.png'],
    ['foigoi/../../canary/cues/live/dawn', 'final.png'],
    ['foigoi/v1/cues/dawn/wide', '../../../../../../canary/private.png'],
    ['foigoi/v1/cues/dawn/wide', '/etc/passwd'],
    ['foigoi/v1/cues/..%2f/wide', 'final.png'],
    ['foigoi\\..\\..\\canary/v1/cues/a/b', 'final.png'],
  ])('leads nowhere with %s and %s', async (key, name) => {
    forge(key, name, canary.picture)
    await upload()
    expectNothingFromOutside()
  })

  it('is believed in neither time nor MD5 by a run that sends what it kept', async () => {
    const secret = contentOf(SECRET, SECRET, 300)
    const state = lstatSync(path('final.png'))
    writeFileSync(path('final.png'), secret)
    utimesSync(path('final.png'), state.atime, state.mtime)
    const md5 = createHash('md5').update(secret).digest('hex')
    await withLedger(async (ledger) => {
      const files = variant.files.map((file) => (file.name === 'final.png' ? { ...file, md5 } : file))
      expect(ledger.isOwn(variant.key)).toBe(false)
      const uploader = createUploader({
        storage: memory,
        ledger,
        prefix: layout.prefix,
        emit: () => undefined,
      })
      void uploader.add({ key: variant.key, folder: variant.folder, files: files.map(contentAlone) })
      const { failures } = await uploader.drain()
      expect(failures.map(({ error }) => error.code)).toEqual(['E_FILE_CHANGED'])
    })
    expectNothingFromOutside()
  })
})

describe('a file that is replaced between the look and the sending', () => {
  it.each(['link', 'picture-link', 'dangling', 'pipe', 'socket', 'folder'] as const)(
    'by a %s is not sent',
    async (kind) => {
      unlinkSync(path('final.png'))
      placeOdd(kind, path('final.png'), canary)
      before = canary.state()
      await withLedger(async (ledger) => {
        const uploader = createUploader({
          storage: memory,
          ledger,
          prefix: layout.prefix,
          emit: () => undefined,
        })
        void uploader.add(variant)
        const { failures } = await uploader.drain()
        expect(failures.map(({ error }) => error.code)).toEqual([
          expect.stringMatching(/^E_OUTPUT_(SYMLINK|KIND)$/),
        ])
      })
      expectNothingFromOutside()
    },
  )

  it('nor one whose folder has become a link', async () => {
    renameSync(variant.folder, join(folder, 'moved'))
    symlinkSync(join(folder, 'moved'), variant.folder)
    await withLedger(async (ledger) => {
      const uploader = createUploader({
        storage: memory,
        ledger,
        prefix: layout.prefix,
        emit: () => undefined,
      })
      void uploader.add(variant)
      await uploader.drain()
    })
    expect(memory.objects.size).toBe(0)
  })
})
