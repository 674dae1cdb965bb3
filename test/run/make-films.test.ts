import { readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashBytes } from '../../src/artifacts/file-state.ts'
import type { LedgerContent, LedgerUnit } from '../../src/artifacts/ledger.ts'
import { encodePng } from '../../src/artifacts/png.ts'
import { timingOf } from '../../src/artifacts/timing.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'
import type { FilmOptions } from '../../src/films/film-options.ts'
import { parseFrameRate } from '../../src/media/frame-rate.ts'
import type { Unit } from '../../src/plan/unit.ts'
import type { RunEventBody } from '../../src/run/events.ts'
import { type FilmCounts, makeFilms } from '../../src/run/make-films.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { plainFrame } from '../media/frames.ts'
import { unitOf } from '../plan/helpers.ts'
import { temporaryFolder } from '../support/temp.ts'
import { testLayout } from '../support/variants.ts'

const FILM: FilmOptions = {
  ...{ format: 'gif', pace: 'true', holdMs: 100, fadeMs: 0, frameRate: parseFrameRate(30) },
}

interface Stage {
  readonly out: string
  readonly events: RunEventBody[]
  make(film?: FilmOptions | undefined, level?: number): Promise<FilmCounts>
}

async function stage(storage: Storage | null = null, stateDir?: string): Promise<Stage> {
  const out = await temporaryFolder()
  const state = stateDir ?? (await temporaryFolder())
  const layout = testLayout(out)
  const key = layout.variantKey('dawn', 'wide')
  const events: RunEventBody[] = []
  let drawn: { level: number; unit: LedgerUnit } | null = null
  const draw = async (level: number): Promise<LedgerUnit> => {
    if (drawn?.level === level) return drawn.unit
    const writer = await createVariantWriter({ out, folder: layout.variantFolder('dawn', 'wide') })
    const png = async (step: number) =>
      encodePng(plainFrame({ width: 16, height: 16 }, level + step).rgb, 16, 16)
    await writer.writeStep(1, await png(1))
    await writer.writeStep(2, await png(2))
    await writer.writeFinal(await png(3))
    const files = await writer.finish(timingOf([40, 40], 40))
    drawn = { level, unit: { digest: 'd', parts: {}, files } }
    return drawn.unit
  }
  return {
    out,
    events,
    async make(film = FILM, level = 10) {
      events.length = 0
      const unit: Unit = { ...unitOf({}), cue: 'dawn', variant: 'wide', film }
      const ledger: LedgerContent = {
        units: new Map([[key, await draw(level)]]),
        sent: new Map(),
        damagedLines: 0,
      }
      return makeFilms({
        prepared: { layout, version: 'v1', units: [{ unit, index: 0, key, digest: 'd', parts: {} }] },
        options: { signal: new AbortController().signal, stateDir: state },
        ledger,
        storage,
        emit: (event) => events.push(event),
      })
    },
  }
}

const typesOf = ({ events }: Stage) => events.map(({ type }) => type)

describe('the films of a sheet', () => {
  it('are made once, and again when options, pictures or the file changed', async () => {
    const films = await stage()
    const path = join(films.out, 'films/v1/dawn/wide.gif')
    expect(await films.make()).toEqual({ failed: 0, uploaded: 0, uploadsFailed: 0 })
    expect(films.events).toEqual([{ type: 'film-made', cue: 'dawn', variant: 'wide', path }])
    await films.make()
    expect(typesOf(films)).toEqual([])
    await films.make({ ...FILM, holdMs: 300 })
    expect(typesOf(films)).toEqual(['film-made'])
    await films.make({ ...FILM, holdMs: 300 }, 50)
    expect(typesOf(films)).toEqual(['film-made'])
    await writeFile(path, 'another')
    await films.make({ ...FILM, holdMs: 300 }, 50)
    expect(typesOf(films)).toEqual(['film-made'])
    await rm(path)
    await films.make({ ...FILM, holdMs: 300 }, 50)
    expect(typesOf(films)).toEqual(['film-made'])
  })

  it('are sent once, and again when they are made anew', async () => {
    const storage = createMemoryStorage()
    const films = await stage(storage)
    const path = join(films.out, 'films/v1/dawn/wide.gif')
    expect(await films.make()).toEqual({ failed: 0, uploaded: 1, uploadsFailed: 0 })
    expect(typesOf(films)).toEqual(['film-made', 'uploads-expected', 'object-uploaded'])
    const object = storage.objects.get('films/v1/dawn/wide.gif')
    expect(object).toMatchObject({ contentType: 'image/gif', cacheControl: 'no-cache' })
    expect(hashBytes(object!.body)).toBe(hashBytes(await readFile(path)))
    expect(await films.make()).toEqual({ failed: 0, uploaded: 0, uploadsFailed: 0 })
    expect(typesOf(films)).toEqual([])
    expect(await films.make({ ...FILM, pace: 2 })).toMatchObject({ uploaded: 1 })
  })

  it('that a store refuses are told of, and sent by the next run', async () => {
    const store = createMemoryStorage()
    let isBroken = true
    const put: Storage['put'] = (...args) =>
      isBroken ? Promise.reject(new Error('no answer')) : store.put(...args)
    const films = await stage({ ...store, put })
    expect(await films.make()).toEqual({ failed: 0, uploaded: 0, uploadsFailed: 1 })
    expect(films.events.at(-1)).toMatchObject({ type: 'upload-failed', message: 'no answer' })
    isBroken = false
    expect(await films.make()).toEqual({ failed: 0, uploaded: 1, uploadsFailed: 0 })
    expect(typesOf(films)).toEqual(['uploads-expected', 'object-uploaded'])
  })

  it('are made anew where another wrote what is remembered of them', async () => {
    const storage = createMemoryStorage()
    const films = await stage(storage)
    await films.make()
    const records = join(films.out, '.pregen/films.json')
    const path = join(films.out, 'films/v1/dawn/wide.gif')
    const foreign = JSON.parse(await readFile(records, 'utf8'))
    await writeFile(path, 'what another wants to be sent')
    await utimes(path, 1, 1)
    for (const record of Object.values<Record<string, unknown>>(foreign)) {
      Object.assign(record, {
        sizeBytes: 29,
        mtimeMs: 1000,
        sent: [],
        sha256: hashBytes(await readFile(path)),
      })
    }
    await writeFile(records, JSON.stringify(foreign))
    expect(await films.make()).toMatchObject({ uploaded: 1 })
    expect(typesOf(films)).toEqual(['film-made', 'uploads-expected', 'object-uploaded'])
    await writeFile(records, '{"half":')
    await films.make()
    expect(typesOf(films)).toContain('film-made')
  })

  it('that cannot be made cost nothing but themselves', async () => {
    const films = await stage()
    await films.make()
    await writeFile(join(films.out, 'foigoi/v1/cues/dawn/wide/final.png'), 'no picture')
    const { failed } = await films.make({ ...FILM, holdMs: 1 })
    expect(failed).toBe(1)
    expect(films.events).toMatchObject([{ type: 'film-failed', cue: 'dawn', variant: 'wide' }])
  })
})
