/**
 * Output folders forged at random: whatever stands in them, nothing outside is read, written, removed or sent. Commands
 * may fail as they like, at once.
 */
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { removeFolder } from '../../src/artifacts/confined-folder.ts'
import { confine } from '../../src/artifacts/confinement.ts'
import { sweepTemporaryFiles } from '../../src/artifacts/durable-write.ts'
import { inspectFiles } from '../../src/artifacts/file-state.ts'
import { isVariantKey, pathOfKey } from '../../src/artifacts/layout.ts'
import { openLedger, readLedger } from '../../src/artifacts/ledger.ts'
import { acquireLock, runningHolder } from '../../src/artifacts/lock.ts'
import { openOrigin } from '../../src/artifacts/origin.ts'
import { findBucket, refuseForeignBucket, rememberBucket } from '../../src/run/bucket-target.ts'
import { createLiveFile } from '../../src/run/live-file.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { uploadTree } from '../../src/storage/upload-tree.ts'
import { verifyTree } from '../../src/storage/verify-tree.ts'
import { createCanary, type OddKind, placeOdd, SECRET } from '../support/canary.ts'
import fc from '../support/seed.ts'
import { testLayout, writeTestVariant } from '../support/variants.ts'

const STORAGE = {
  bucket: 'show',
  endpoint: undefined,
  region: 'auto',
  prefix: '',
  concurrency: 16,
  publicUrl: undefined,
  forcePathStyle: undefined,
}

/** Parts of paths as a forger may write them; `canary` is the folder outside. */
const part = fc.constantFrom(
  ...[
    'foigoi',
    'v1',
    'cues',
    'dawn',
    'wide',
    'canary',
    'live',
    '.',
    '..',
    '',
    '/',
    '.pregen',
    '...',
    'CON',
    'Dawn',
  ],
  ...[
    'a\\..\\b',
    '..\\canary',
    'a\0b',
    'a\nb',
    '%2e%2e',
    '\u202e',
    'é',
    'x'.repeat(300),
    '__proto__',
    'etc',
    '-rf',
  ],
)
const key = fc.oneof(
  fc.constantFrom('foigoi/v1/cues/dawn/wide', 'foigoi/v1/cues/dawn/forged', '../canary/cues/live/dawn'),
  fc.array(part, { minLength: 1, maxLength: 9 }).map((parts) => parts.join('/')),
)
const name = fc.oneof(
  fc.constantFrom(
    '1.png',
    '2.png',
    'final.png',
    'final.thumb.webp',
    'timing.json',
    'manifest.json',
    'passwd',
  ),
  fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => `${parts.join('/')}/private.png`),
)
const number = fc.oneof(fc.constantFrom(0, 300, 400, -1, 1e300, 978307200000, 0.5), fc.nat())
const text = fc.oneof(fc.string(), fc.constantFrom('ab'.repeat(32), '', SECRET, '0'.repeat(32)))
const file = fc.record(
  { name, sha256: text, md5: text, sizeBytes: number, mtimeMs: number },
  { requiredKeys: ['name', 'sha256', 'sizeBytes', 'mtimeMs'] },
)
const line = fc.oneof(
  fc.record({
    type: fc.constant('unit'),
    key,
    mark: text,
    unit: fc.record(
      {
        digest: text,
        parts: fc.dictionary(fc.string(), fc.string()),
        files: fc.array(file, { maxLength: 4 }),
        asset: fc.anything(),
        complete: fc.anything(),
      },
      { requiredKeys: ['digest', 'parts', 'files'] },
    ),
  }),
  fc.record({
    type: fc.constant('sent'),
    target: fc.constantFrom('memory', 's3://x'),
    key,
    objects: fc.dictionary(name, fc.record({ sha256: text, sizeBytes: number, etag: fc.constant(null) }), {
      maxKeys: 3,
    }),
  }),
  fc.anything(),
)

/** Where something odd may stand: every file and folder of pregen's, at every depth. */
const place = fc.constantFrom(
  ...[
    '.pregen',
    '.pregen/ledger.ndjson',
    '.pregen/lock',
    '.pregen/storage.json',
    '.pregen/live',
    '.pregen/live/dawn',
  ],
  ...['.pregen/jobs', '.pregen/.pregen-1-0123456789ab.tmp', 'foigoi', 'foigoi/v1', 'foigoi/v1/manifest.json'],
  ...['foigoi/v1/cues', 'foigoi/v1/cues/dawn', 'foigoi/v1/cues/dawn/wide', 'foigoi/v1/cues/dawn/forged'],
  ...['1.png', 'final.png', 'final.thumb.webp', 'timing.json', '.pregen-1-0123456789ab.tmp'].map(
    (file) => `foigoi/v1/cues/dawn/wide/${file}`,
  ),
)
const odd = fc.constantFrom<OddKind>('link', 'picture-link', 'dangling', 'folder-link', 'pipe', 'folder')

const forgery = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('odd' as const), place, kind: odd }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('inner-link' as const), place, to: place }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('second-name' as const), place }) },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('ledger' as const),
      lines: fc.array(line, { maxLength: 6 }),
      tail: fc.string(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('json' as const),
      place,
      value: fc.jsonValue(),
      year: fc.integer({ min: 1971, max: 2037 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('bytes' as const),
      place,
      bytes: fc.uint8Array({ maxLength: 100 }),
    }),
  },
)
type Forgery = typeof forgery extends fc.Arbitrary<infer T> ? T : never

interface Outside {
  readonly folder: string
  readonly out: string
  readonly canary: ReturnType<typeof createCanary>
}

/** Puts one forgery into the folder, through no link that an earlier one made. */
function forge({ out, canary }: Outside, one: Forgery): void {
  const path = join(out, one.act === 'ledger' ? '.pregen/ledger.ndjson' : one.place)
  // What an earlier forgery put on the way stays: the rest of this one is not possible then.
  try {
    for (let above = dirname(path); above.length >= out.length; above = dirname(above)) {
      if (existsSync(above) && confine(above).real !== above) return
    }
    mkdirSync(dirname(path), { recursive: true })
    rmSync(path, { recursive: true, force: true })
  } catch {
    return
  }
  if (one.act === 'odd') placeOdd(one.kind, path, canary)
  else if (one.act === 'inner-link') symlinkSync(join(out, one.to), path)
  else if (one.act === 'second-name') linkSync(canary.picture, path)
  else if (one.act === 'bytes') writeFileSync(path, one.bytes)
  else if (one.act === 'ledger') {
    writeFileSync(path, `${one.lines.map((value) => JSON.stringify(value) ?? '').join('\n')}\n${one.tail}`)
  } else {
    writeFileSync(path, JSON.stringify(one.value))
    utimesSync(path, new Date(`${one.year}-06-01`), new Date(`${one.year}-06-01`))
  }
}

/** What commands do with an output folder, one after the other, each on its own. */
function deeds(
  { out, folder }: Outside,
  store: ReturnType<typeof createMemoryStorage>,
): (() => Promise<unknown>)[] {
  const layout = testLayout(out)
  const { state } = layout
  const origin = openOrigin(join(folder, 'mine'))
  const withLedger = async (work: (ledger: Awaited<ReturnType<typeof openLedger>>) => Promise<unknown>) => {
    const ledger = await openLedger(state.ledgerPath, { origin })
    try {
      await work(ledger)
    } finally {
      await ledger.close()
    }
  }
  const live = createLiveFile({
    ...{ out, path: state.livePreviewPath('dawn', 'wide') },
    ...{ warn: () => undefined, onPoint: () => undefined },
  })
  return [
    () => runningHolder(state.lockPath),
    async () => {
      const { units } = await readLedger(state.ledgerPath)
      for (const [at, { files }] of units) {
        expect(isVariantKey(at)).toBe(true)
        await inspectFiles(pathOfKey(out, at), files, { inside: confine(out), rehash: true })
      }
    },
    async () => verifyTree({ out, ledger: await readLedger(state.ledgerPath) }),
    () => withLedger((ledger) => uploadTree({ out, storage: store, ledger, emit: () => undefined })),
    () => findBucket(out, undefined, { env: {}, embeddedModels: {} }),
    () => refuseForeignBucket(out, origin),
    async () => (await acquireLock(state.lockPath)).release(),
    () => sweepTemporaryFiles(out),
    async () => removeFolder(confine(out), state.liveFolder),
    () => live.show(1, Buffer.from('picture')),
    () => live.hide(),
    () => rememberBucket(out, STORAGE, null, origin),
    () => withLedger((ledger) => writeTestVariant(layout, 'dawn/wide', { steps: 2 }, ledger)),
    () => withLedger((ledger) => writeTestVariant(layout, 'dawn/forged', { steps: 0 }, ledger)),
    () =>
      withLedger((ledger) =>
        uploadTree({ out, storage: store, ledger, emit: () => undefined, verifyRemote: true }),
      ),
  ]
}

/** A second name is inside: to read or remove it is to do so inside. */
function withoutAccess(state: Record<string, string>): string[][] {
  return Object.entries(state).map(([path, seen]) => [
    path,
    seen.slice(seen.indexOf(' ')).replace('linked', ''),
  ])
}

export interface ForgedTreesResult {
  /** Deeds that were refused, or that the file system refused. */
  readonly refused: number
  /** Objects that the stores were sent. */
  readonly sent: number
}

/** @param root a folder for all of them @throws when a forged folder gets anything out, with its counterexample */
export async function forgeTrees(root: string, runs: number, seed: number): Promise<ForgedTreesResult> {
  let refused = 0
  let sent = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(forgery, { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      async (forgeries, hasTree) => {
        const folder = mkdtempSync(join(root, 'forged-'))
        const outside: Outside = {
          folder,
          out: join(folder, 'out'),
          canary: createCanary(join(folder, 'canary')),
        }
        const { out, canary } = outside
        mkdirSync(out)
        mkdirSync(join(folder, 'mine'))
        if (hasTree) {
          const layout = testLayout(out)
          const ledger = await openLedger(layout.state.ledgerPath, {
            origin: openOrigin(join(folder, 'theirs')),
          })
          await writeTestVariant(layout, 'dawn/wide', { steps: 2 }, ledger)
          await ledger.close()
        }
        for (const one of forgeries) forge(outside, one)
        const isShared = forgeries.some(({ act }) => act === 'second-name')
        const before = canary.state()
        const beside = () =>
          readdirSync(folder, { recursive: true, encoding: 'utf8' })
            .filter((path) => !/^(out|mine)/.test(path))
            .sort()
        const stood = beside()
        const store = createMemoryStorage()
        for (const deed of deeds(outside, store)) {
          const from = performance.now()
          await deed().catch((error: unknown) => {
            // Refusals, and errors of the file system: no faults of the program.
            expect(error).toHaveProperty('code')
            refused++
          })
          expect(performance.now() - from).toBeLessThan(10_000)
        }
        const after = canary.state()
        if (isShared) expect(withoutAccess(after)).toEqual(withoutAccess(before))
        else expect(after).toEqual(before)
        expect(beside()).toEqual(stood)
        for (const [at, { body }] of store.objects) {
          sent++
          expect(at).toMatch(
            /^foigoi\/v1\/(manifest\.json|cues\/[^/]+\/[^/]+\/(\d+\.png|final\.png|final\.thumb\.webp|timing\.json))$/,
          )
          expect([at, Buffer.from(body).includes(SECRET)]).toEqual([at, false])
        }
        rmSync(folder, { recursive: true })
      },
    ),
    { numRuns: runs, seed },
  )
  return { refused, sent }
}
