/** The films that a sheet asks for, made when its pictures are there, and sent after them. */
import { join } from 'node:path'
import { PICTURE_BYTES, readFileInside, stateInside } from '../artifacts/confined-files.ts'
import { type Confinement, confine } from '../artifacts/confinement.ts'
import { contentTypeOf, FILMS_FOLDER, TIMING_NAME } from '../artifacts/file-names.ts'
import { hashBytes } from '../artifacts/file-state.ts'
import { pathOfKey } from '../artifacts/layout.ts'
import type { LedgerContent, LedgerUnit } from '../artifacts/ledger.ts'
import { openOrigin } from '../artifacts/origin.ts'
import { messageOf, PregenError } from '../errors.ts'
import type { FilmOptions } from '../films/film-options.ts'
import { type FilmRecord, type FilmRecords, openFilmRecords } from '../films/film-records.ts'
import type { Storage } from '../storage/storage.ts'
import type { EmitRunEvent } from './events.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun, PreparedUnit } from './prepared.ts'

export interface FilmMaking {
  readonly prepared: Pick<PreparedRun, 'layout' | 'units' | 'version'>
  readonly options: Pick<RunOptions, 'signal' | 'stateDir'>
  readonly ledger: LedgerContent
  /** null: without a bucket. */
  readonly storage: Storage | null
  readonly emit: EmitRunEvent
}

export interface FilmCounts {
  /** Films that could not be made. */
  readonly failed: number
  readonly uploaded: number
  readonly uploadsFailed: number
}

interface Take {
  readonly entry: PreparedUnit
  readonly film: FilmOptions
  readonly recorded: LedgerUnit
}

/** Never rejects for a film; a cancelled run leaves the rest to the next. */
export async function makeFilms(making: FilmMaking): Promise<FilmCounts> {
  const { prepared, options } = making
  const takes = takesOf(making)
  if (takes.length === 0) return { failed: 0, uploaded: 0, uploadsFailed: 0 }
  const path = join(prepared.layout.state.folder, 'films.json')
  return await makeTakes(making, await openFilmRecords(path, openOrigin(options.stateDir)), takes)
}

/** For units that are made once: nothing is remembered, and each film is made, whatever lies there. */
const NO_RECORDS: FilmRecords = { get: () => undefined, set: () => Promise.resolve() }

/** Those of units that were just drawn and go into the bucket next. Never rejects for a film. */
export async function makeFilmsOnce(making: FilmMaking): Promise<FilmCounts> {
  return await makeTakes(making, NO_RECORDS, takesOf(making))
}

function takesOf({ prepared, ledger }: FilmMaking): readonly Take[] {
  return prepared.units.flatMap((entry): Take[] => {
    const recorded = ledger.units.get(entry.key)
    const { film } = entry.unit
    // Without its marker a variant has not all its step pictures, and is drawn again by the next run.
    const isWhole = recorded?.complete !== false && recorded?.files.some(({ name }) => name === TIMING_NAME)
    return film && recorded && isWhole ? [{ entry, film, recorded }] : []
  })
}

async function makeTakes(
  making: FilmMaking,
  records: FilmRecords,
  takes: readonly Take[],
): Promise<FilmCounts> {
  const { options } = making
  const counts = { failed: 0, uploaded: 0, uploadsFailed: 0 }
  for (const take of takes) {
    if (options.signal.aborted) break
    const { cue, variant } = take.entry.unit
    try {
      const record = await makeFilm(making, records, take)
      if (record) await sendFilm(making, records, { ...record, counts })
    } catch (error) {
      if (options.signal.aborted) break
      counts.failed += 1
      const code = error instanceof PregenError ? error.code : 'E_UNEXPECTED'
      making.emit({ type: 'film-failed', cue, variant, code, message: messageOf(error) })
    }
  }
  return counts
}

interface MadeFilm {
  readonly key: string
  readonly record: FilmRecord
}

/** null: numbered pictures, which are not sent. */
async function makeFilm(
  { prepared, options, emit }: FilmMaking,
  records: FilmRecords,
  { entry, film, recorded }: Take,
): Promise<MadeFilm | null> {
  const { layout, version } = prepared
  const { cue, variant } = entry.unit
  const { filmExtension, writeFilm } = await import('../films/write-film.ts')
  const { readVariantPictures } = await import('../films/variant-pictures.ts')
  const inside = confine(layout.out)
  const name = `${FILMS_FOLDER}/${version}/${cue}/${variant}`
  const key = `${name}${filmExtension(film.format)}`
  const files = recorded.files.map((file) => [file.name, file.sha256])
  const basis = hashBytes(new TextEncoder().encode(JSON.stringify([film, files])))
  const known = records.get(key)
  if (known?.basis === basis && (await isIntact(inside, pathOfKey(layout.out, key), known))) {
    return { key, record: known }
  }
  const pictures = await readVariantPictures(inside, layout.variantFolder(cue, variant))
  if (!pictures) throw new Error(`${cue}/${variant} has no ${TIMING_NAME}`)
  const path = pathOfKey(layout.out, name)
  const request = { ...film, variants: [pictures], root: layout.out, path, signal: options.signal }
  const written = await writeFilm(request)
  emit({ type: 'film-made', cue, variant, path: written.path })
  if (written.file === null) return null
  const record = { basis, ...written.file, sent: [] }
  await records.set(key, record)
  return { key, record }
}

async function isIntact(inside: Confinement, path: string, record: FilmRecord): Promise<boolean> {
  const state = await stateInside(inside, path)
  return state?.isFile() === true && state.size === record.sizeBytes && state.mtimeMs === record.mtimeMs
}

interface Sending extends MadeFilm {
  readonly counts: { uploaded: number; uploadsFailed: number }
}

async function sendFilm(
  { prepared, storage, emit, options }: FilmMaking,
  records: FilmRecords,
  { key, record, counts }: Sending,
): Promise<void> {
  if (storage === null || record.sent.includes(storage.description)) return
  const { out } = prepared.layout
  emit({ type: 'uploads-expected', objects: 1 })
  try {
    const path = pathOfKey(out, key)
    const { bytes } = await readFileInside(confine(out), path, PICTURE_BYTES)
    if (hashBytes(bytes) !== record.sha256) {
      throw new PregenError('E_FILE_CHANGED', `${path} is no longer what was written`, {
        help: 'Run the sheet again: the film is made anew.',
      })
    }
    const { sha256, md5, sizeBytes } = record
    // A film may be made anew under its name, of other settings.
    const object = {
      key,
      body: bytes,
      sha256,
      md5,
      contentType: contentTypeOf(key),
      cacheControl: 'no-cache',
    }
    const { attempts } = await storage.put(object, { signal: options.signal })
    counts.uploaded += 1
    emit({ type: 'object-uploaded', key, sizeBytes, attempts })
    await records.set(key, { ...record, sent: [...record.sent, storage.description] })
  } catch (error) {
    if (options.signal.aborted) throw error
    counts.uploadsFailed += 1
    emit({ type: 'upload-failed', key, attempts: 1, message: messageOf(error) })
  }
}

/** Objects that were sent and that could not be, films included. */
export function withFilms(
  { uploaded, failed }: { readonly uploaded: number; readonly failed: number },
  films: FilmCounts,
): { uploaded: number; failed: number } {
  return { uploaded: uploaded + films.uploaded, failed: failed + films.uploadsFailed }
}
