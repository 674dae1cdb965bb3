import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { recordId, sealOf } from '../../src/artifacts/unit-record.ts'
import { type PlanReport, planSheet } from '../../src/tasks/plan-sheet.ts'
import { BUCKET_ENV, tinySheet, writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'
import { PLAN_YARDSTICKS, yardsticksOf } from '../support/yardstick.ts'

const COUNT = 10_000
const PICTURE_SHA256 = 'ab'.repeat(32)

/** Of every file of the fake store. */
const SIZE = 1234
const ETAG = '0123456789abcdef0123456789abcdef'

/** Lists what it is told to hold, a page at a time, and gives its manifest. */
async function startListing(keys: readonly string[], manifest: string) {
  const sorted = [...keys].sort()
  let requests = 0
  const server = createServer((incoming, response) => {
    requests += 1
    const url = new URL(incoming.url ?? '/', 'http://store')
    const query = url.searchParams
    if (query.get('list-type') !== '2') return void response.setHeader('etag', '"m"').end(manifest)
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? query.get('start-after') ?? ''
    let from = 0
    for (let to = sorted.length; from < to; ) {
      const middle = (from + to) >> 1
      if ((sorted[middle] ?? '') > after && (sorted[middle] ?? '') >= prefix) to = middle
      else from = middle + 1
    }
    const max = Number(query.get('max-keys') ?? 1000)
    const page = sorted.slice(from, from + max).filter((key) => key.startsWith(prefix))
    const isCut = page.length === max
    const lines = page.map(
      (key) => `<Contents><Key>${key}</Key><Size>${SIZE}</Size><ETag>&quot;${ETAG}&quot;</ETag></Contents>`,
    )
    const next = isCut ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
    response.setHeader('content-type', 'application/xml')
    response.end(
      `<?xml version="1.0"?><ListBucketResult><Name>show</Name><IsTruncated>${isCut}</IsTruncated>${next}${lines.join('')}</ListBucketResult>`,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { endpoint: `http://127.0.0.1:${address.port}`, requests: () => requests }
}

function keysOf(plan: PlanReport): string[] {
  return plan.units.flatMap(({ cue, variant, digest, files }) => {
    const key = `foigoi/v1/cues/${cue}/${variant}`
    const seal = sealOf(files.map((name) => ({ name, sizeBytes: SIZE, etag: ETAG })))
    const record = `${recordId(key)}.${digest}.${seal}.${PICTURE_SHA256.slice(0, 16)}.json`
    return [...files.map((name) => `${key}/${name}`), `foigoi/v1/.units/${record}`]
  })
}

function manifestOf(plan: PlanReport): string {
  const assets = plan.units.map(({ cue, variant }, index) => ({
    ...{ type: 'image', cue, variant, program: 'P0', url: 'x', thumbnail_url: null, timing_url: null },
    metadata: {
      ...{ width: 64, height: 64, format: 'png', seed: '1', steps: 3, steps_executed: 3, guidance_scale: 3 },
      ...{ scheduler: 'PNDM', model: 'tiny', model_fingerprint: 'f', file_size_bytes: SIZE },
      ...{ sha256: PICTURE_SHA256, generation_time: 1, reference_mode: 'none', asset_index: index },
    },
  }))
  return JSON.stringify({ manifest_version: 1, version: 'v1', assets })
}

interface Asked {
  readonly endpoint?: string
  readonly fetch?: boolean
  readonly cue?: string
}

async function planOf(
  folder: string,
  count: number,
  { endpoint = 'http://127.0.0.1:9', fetch = false, cue }: Asked = {},
) {
  const seeds = Array.from({ length: count }, (_, seed) => seed)
  const cues = {
    sea: { program: 'P0', prompt: 'sea', seeds },
    hill: { program: 'P0', prompt: 'hill', seeds: [1] },
  }
  const sheet = tinySheet({ programs: { P0: {} }, cues, storage: { bucket: 'show', endpoint } })
  return await planSheet({
    sheetPath: await writeSheet(folder, sheet),
    outDir: join(folder, 'out'),
    env: BUCKET_ENV,
    allowLocalEndpoint: true,
    embeddedModels: {},
    force: false,
    allowPrivateUrls: false,
    cacheDir: folder,
    remoteImages: fetch ? 'fetch' : 'skip',
    cue,
  })
}

describe('a full bucket', () => {
  it('is asked about 10,000 units in under three seconds of a quiet processor', async () => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' })
    const folder = await temporaryFolder()
    const plan = await planOf(folder, COUNT)
    const store = await startListing(keysOf(plan), manifestOf(plan))
    const ratio = await yardsticksOf(async () => {
      const before = store.requests()
      const { totals, warnings } = await planOf(folder, COUNT, { endpoint: store.endpoint, fetch: true })
      expect(totals).toMatchObject({ units: COUNT + 1, run: 0, skip: COUNT + 1 })
      expect(warnings).toEqual([])
      // 20,002 objects, 800 a page, in eight ranges.
      expect(store.requests() - before).toBeLessThanOrEqual(Math.ceil((2 * (COUNT + 1)) / 800) + 8 + 1)
    })
    console.log(`10,001 units: ${ratio.toFixed(1)} yardsticks`)
    // The fake store's own share is in it.
    expect(ratio).toBeLessThan(3 * PLAN_YARDSTICKS)
  }, 60_000)

  it('is not listed whole for one unit of many', async () => {
    const folder = await temporaryFolder()
    const plan = await planOf(folder, 2000)
    const store = await startListing(keysOf(plan), manifestOf(plan))
    const asked = await planOf(folder, 2000, { endpoint: store.endpoint, fetch: true, cue: 'hill' })
    expect(asked.totals).toMatchObject({ units: 1, skip: 1 })
    expect(store.requests()).toBe(3)
  }, 60_000)
})
