/** docs/events.md against what a real run writes: every event, every field, nothing else. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EVENT_FIELDS, type RunEvent } from '../../src/run/events.ts'
import { packageRoot } from '../support/cli.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
/** What two runs of pictures on a processor do not tell: events of GPUs, films and videos, held by their own tests. */
const ELSEWHERE = {
  'device-warmed': 'test/run/draw-model.test.ts',
  'batch-chosen': 'test/run/batch-size.test.ts',
  'film-failed': 'test/run/make-films.test.ts',
  'film-made': 'test/run/make-films.test.ts',
  frame: 'test/e2e/video.test.ts',
  'provider-chosen': 'test/e2e/providers.test.ts',
}

let moto: MotoServer
let proxy: FaultProxy
let events: readonly RunEvent[]

/** Fields of each documented event with their types, by the event's name. */
async function readDocumented(): Promise<Map<string, Map<string, string>>> {
  const text = await readFile(join(packageRoot, 'docs/events.md'), 'utf8')
  const sections = text.split(/^### `/m).slice(1)
  return new Map(
    sections.map((section) => {
      const rows = [...section.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)]
      const name = section.slice(0, section.indexOf('`'))
      return [name, new Map(rows.map(([, field = '', type = '']) => [field, type.trim()]))]
    }),
  )
}

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
  proxy = await startFaultProxy(moto.endpoint)
  const sheet = await writeSheet(
    scratch.folder,
    tinySheet({
      programs: { P1: { previews: { method: 'latent2rgb' } } },
      cues: { dawn: { program: 'P1', prompt: '', seeds: [1, 2] } },
      storage: { bucket: 'show', endpoint: proxy.endpoint },
    }),
  )
  const out = join(scratch.folder, 'out')
  const env = { ...BUCKET_ENV, PREGEN_FAULTS: 'preview-encode#2=throw,step#4=crash' }
  proxy.setFaults(({ path }) => (path.endsWith('seed-2/final.png') ? 403 : null))
  const first = await runSheet(sheet, out, [], { env })
  const second = await runSheet(sheet, out, ['--dry-run'])
  events = [...first.events, ...second.events]
}, 600_000)
afterAll(async () => {
  await proxy.stop()
  await moto.stop()
})

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return typeof value[0] === 'object' ? 'list of units' : 'list of texts'
  if (typeof value === 'boolean') return 'true or false'
  return typeof value === 'string' ? 'text' : typeof value
}

describe('docs/events.md', () => {
  it('names the events that the source knows', async () => {
    expect([...(await readDocumented()).keys()].sort()).toEqual(Object.keys(EVENT_FIELDS).sort())
  })

  it('was held against every one of them', async () => {
    const seen = new Set(events.map(({ type }) => type))
    for (const [type, file] of Object.entries(ELSEWHERE)) {
      expect([type, (await readFile(join(packageRoot, file), 'utf8')).includes(type)]).toEqual([type, true])
    }
    expect([...seen, ...Object.keys(ELSEWHERE)].sort()).toEqual([...(await readDocumented()).keys()].sort())
  })

  it('has exactly the fields that they have, and their types', async () => {
    const documented = await readDocumented()
    for (const { type, run, seq, time, ...fields } of events) {
      expect([typeof run, Number.isInteger(seq)]).toEqual(['string', true])
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      const told = documented.get(type) ?? new Map()
      expect([type, Object.keys(fields).sort()]).toEqual([type, [...told.keys()].sort()])
      for (const [field, value] of Object.entries(fields)) {
        expect([type, field, told.get(field)]).toEqual([
          type,
          field,
          expect.stringMatching(new RegExp(`(^|or )${typeOf(value)}($| or)`)),
        ])
        if (typeof value === 'number')
          expect([type, field, Number.isInteger(value)]).toEqual([type, field, true])
      }
    }
  })
})
