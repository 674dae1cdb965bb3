/** Whatever an output folder from elsewhere holds in the place of the run's own files, nothing outside is touched. */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createStateLayout } from '../../src/artifacts/layout.ts'
import { openLedger, readLedger } from '../../src/artifacts/ledger.ts'
import { acquireLock, refuseIfLocked, runningHolder } from '../../src/artifacts/lock.ts'
import { openOrigin } from '../../src/artifacts/origin.ts'
import { createPromptStore } from '../../src/engine/prompt-store.ts'
import {
  findBucket,
  isShardFolder,
  refuseForeignBucket,
  rememberBucket,
} from '../../src/run/bucket-target.ts'
import { createLiveFile } from '../../src/run/live-file.ts'
import { createCanary, ODD_KINDS, type OddKind, placeOdd } from '../support/canary.ts'
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
const UNIT = { digest: 'd', parts: { prompt: 'a secret prompt' }, files: [] }
const KEY = 'foigoi/v1/cues/dawn/wide'
const REFUSED = expect.objectContaining({
  code: expect.stringMatching(/^E_OUTPUT_(SYMLINK|KIND)$/),
  exitCode: 2,
})

async function setUp() {
  const folder = await temporaryFolder()
  const canary = createCanary(join(folder, 'canary'))
  const out = join(folder, 'out')
  const state = createStateLayout(out)
  return { folder, canary, out, state, before: canary.state() }
}

/** Everything that opens a file of the run's own. */
function users(out: string): Record<string, () => Promise<unknown>> {
  const { ledgerPath, lockPath, folder } = createStateLayout(out)
  const locked = async () => (await acquireLock(lockPath)).release()
  return {
    'the lock': locked,
    'a look at the lock': () => refuseIfLocked(lockPath),
    'who holds the lock': () => runningHolder(lockPath),
    'the ledger': async () => {
      const ledger = await openLedger(ledgerPath)
      await ledger.recordUnit(KEY, UNIT)
      await ledger.close()
    },
    'a look at the ledger': () => readLedger(ledgerPath),
    'the bucket remembered': () => rememberBucket(out, STORAGE),
    'the bucket found': () => findBucket(out, undefined, { env: {}, embeddedModels: {} }),
    'whether it is a shard': () => isShardFolder(out),
    'whose bucket it is': () => refuseForeignBucket(out, openOrigin(undefined)),
    'the scratch file of prompts': async () => {
      const store = createPromptStore(folder, 0)
      await store.put('k', {
        promptEmbeds: { data: new Float32Array(4), dims: [1, 4] },
        ...{ pooledPromptEmbeds: null, negativePromptEmbeds: null, negativePooledPromptEmbeds: null },
        ...{ half: false, warnings: [] },
      })
      await store.clear()
    },
  }
}

const names = Object.keys(users('/'))

describe('the state folder', () => {
  it.each(
    names.flatMap((name) =>
      ODD_KINDS.filter((kind) => kind !== 'folder').map((kind) => [name, kind] as const),
    ),
  )('as something else stops %s: %s', async (name, kind) => {
    const { canary, out, state, before } = await setUp()
    mkdirSync(out)
    placeOdd(kind, state.folder, canary)
    const work = users(out)[name]?.()
    await expect(work).rejects.toThrow()
    if (kind.includes('link')) await expect(work).rejects.toMatchObject({ code: 'E_OUTPUT_SYMLINK' })
    expect(canary.state()).toEqual(before)
    expect(readdirSync(canary.folder).sort()).toEqual(['live', 'private.png', 'profile'])
  })

  it('is its owner’s alone, with all that is in it, also where an earlier one was open to others', async () => {
    const { out, state } = await setUp()
    mkdirSync(state.folder, { recursive: true })
    chmodSync(state.folder, 0o755)
    writeFileSync(state.ledgerPath, '', { mode: 0o644 })
    const lock = await acquireLock(state.lockPath)
    const ledger = await openLedger(state.ledgerPath)
    await ledger.recordUnit(KEY, UNIT)
    await rememberBucket(out, STORAGE)
    const livePath = state.livePreviewPath('dawn', 'wide')
    const live = createLiveFile({ out, path: livePath, warn: failOn, onPoint: () => undefined })
    await live.show(1, Buffer.from('png'))
    const modes = (path: string) => (statSync(path).mode & 0o777).toString(8)
    const files = [state.ledgerPath, state.lockPath, join(state.folder, 'storage.json'), livePath]
    expect(files.map(modes)).toEqual(['600', '600', '600', '600'])
    expect([state.folder, state.liveFolder, join(state.liveFolder, 'dawn')].map(modes)).toEqual([
      '700',
      '700',
      '700',
    ])
    await ledger.close()
    await lock.release()
  })
})

const FILES: readonly (readonly [string, readonly string[]])[] = [
  ['lock', ['the lock', 'a look at the lock', 'who holds the lock']],
  ['ledger.ndjson', ['the lock', 'the ledger', 'a look at the ledger']],
  ['storage.json', ['the lock', 'the bucket found', 'whether it is a shard', 'whose bucket it is']],
  ['live', ['the lock']],
  ['jobs', ['the lock']],
  ['anything', ['the lock']],
]
const odd = FILES.flatMap(([file, by]) =>
  by.flatMap((name) =>
    ODD_KINDS.filter((kind) => !(kind === 'folder' && ['live', 'jobs', 'anything'].includes(file))).map(
      (kind): readonly [string, OddKind, string] => [file, kind, name],
    ),
  ),
)

describe('a file of the run’s own', () => {
  it.each(odd)('%s that is a %s stops %s, at once', async (file, kind, name) => {
    const { canary, out, state, before } = await setUp()
    mkdirSync(state.folder, { recursive: true })
    placeOdd(kind, join(state.folder, file), canary)
    await expect(users(out)[name]?.()).rejects.toEqual(REFUSED)
    expect(canary.state()).toEqual(before)
    expect(readdirSync(state.folder)).toEqual([file])
  })

  it.each(['ledger.ndjson', 'lock', 'storage.json'])(
    '%s with a second name outside leaves that as it is',
    async (file) => {
      const { canary, out, state } = await setUp()
      mkdirSync(state.folder, { recursive: true })
      linkSync(canary.text, join(state.folder, file))
      // A lock of nobody heals when it is old.
      utimesSync(canary.text, new Date('2001-01-01'), new Date('2001-01-01'))
      const bytes = readFileSync(canary.text)
      for (const use of Object.values(users(out))) await use().catch(() => undefined)
      const lock = await acquireLock(state.lockPath)
      await lock.release()
      expect(readFileSync(canary.text)).toEqual(bytes)
      expect(statSync(canary.text).mode & 0o777).toBe(0o666 & ~process.umask())
    },
  )

  it('a live folder with links in it loses them, and they nothing', async () => {
    const { canary, out, state, before } = await setUp()
    mkdirSync(state.liveFolder, { recursive: true })
    symlinkSync(canary.live, join(state.liveFolder, 'dawn'))
    const told: string[] = []
    const path = state.livePreviewPath('dawn', 'wide')
    const live = createLiveFile({
      out,
      path,
      warn: ({ message }) => void told.push(message),
      onPoint: () => undefined,
    })
    await live.show(1, Buffer.from('png'))
    await live.hide()
    expect(told).toHaveLength(2)
    expect(canary.state()).toEqual(before)
  })
})

describe('a lock', () => {
  it.each([
    ['of the year 2037', '2037-12-31T00:00:00Z'],
    ['of long ago', '1990-01-01T00:00:00Z'],
  ])('%s is dead', async (_, time) => {
    const { state } = await setUp()
    mkdirSync(state.folder, { recursive: true })
    const foreign = { host: 'elsewhere', pid: 7, startedAt: time, process: null, nonce: 'n' }
    writeFileSync(state.lockPath, JSON.stringify(foreign))
    utimesSync(state.lockPath, new Date(time), new Date(time))
    const lock = await acquireLock(state.lockPath)
    expect(await runningHolder(state.lockPath)).toMatchObject({ pid: process.pid })
    await lock.release()
  })

  it.each([
    ['a PID that means everybody', { pid: -1 }],
    ['a PID that is none', { pid: 1.5 }],
    ['a name as long as a book', { host: 'x'.repeat(100_000) }],
  ])('with %s is one that nobody can read', async (_, change) => {
    const { state } = await setUp()
    mkdirSync(state.folder, { recursive: true })
    const foreign = { host: 'elsewhere', pid: 7, startedAt: 't', process: null, nonce: 'n', ...change }
    writeFileSync(state.lockPath, JSON.stringify(foreign))
    expect(await runningHolder(state.lockPath)).toBeNull()
    await expect(acquireLock(state.lockPath)).rejects.toThrow('a process that left no name')
  })
})

function failOn({ message }: { message: string }): never {
  throw new Error(message)
}
