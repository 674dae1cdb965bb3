/** What films were made of, `<out>/.pregen/films.json`: one that is as it was made is not made again. */

import { readFileInside } from '../artifacts/confined-files.ts'
import { PRIVATE_FILE } from '../artifacts/confined-folder.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { isKey } from '../artifacts/layout.ts'
import type { Origin } from '../artifacts/origin.ts'
import { isShallow } from '../artifacts/read-back.ts'
import { makeStateFolder } from '../artifacts/state-folder.ts'
import { errorCode, PregenError } from '../errors.ts'
import { z } from '../zod.ts'

const recordSchema = z.object({
  /** Digest of its options and of the files that it is made of. */
  basis: z.string(),
  sha256: z.string(),
  md5: z.string(),
  sizeBytes: z.number(),
  mtimeMs: z.number(),
  /** Descriptions of the buckets that have it. */
  sent: z.array(z.string()).readonly(),
})
const markedSchema = recordSchema.extend({ mark: z.string() })

export type FilmRecord = Readonly<z.infer<typeof recordSchema>>

export interface FilmRecords {
  /** By key, as this user wrote it: another's word for what a film is counts for nothing. */
  get(key: string): FilmRecord | undefined
  set(key: string, record: FilmRecord): Promise<void>
}

const MAX_BYTES = 64 * 1024 * 1024

export async function openFilmRecords(path: string, origin: Origin): Promise<FilmRecords> {
  const inside = makeStateFolder(path)
  const records = new Map<string, z.infer<typeof markedSchema>>()
  for (const [key, value] of Object.entries(await readRecords())) {
    const { data } = markedSchema.safeParse(value)
    if (data && isKey(key) && origin.isOwn(textOf(key, data), data.mark)) records.set(key, data)
  }
  return {
    get: (key) => records.get(key),
    async set(key, record) {
      records.set(key, { ...record, mark: origin.mark(textOf(key, record)) })
      const text = JSON.stringify(Object.fromEntries(records))
      await writeFileDurably(path, new TextEncoder().encode(text), { inside, mode: PRIVATE_FILE })
    },
  }

  async function readRecords(): Promise<Record<string, unknown>> {
    try {
      const { bytes } = await readFileInside(inside, path, MAX_BYTES)
      const value: unknown = JSON.parse(bytes.toString('utf8'))
      return isShallow(value, 4) ? (z.record(z.string(), z.unknown()).safeParse(value).data ?? {}) : {}
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return {}
      // What is too large is none of ours; a link or a pipe in its place is told of.
      if (error instanceof PregenError && error.code === 'E_OUTPUT_TOO_LARGE') return {}
      throw error
    }
  }
}

function textOf(key: string, { basis, sha256, md5, sizeBytes, sent }: FilmRecord): string {
  return JSON.stringify(['film', key, basis, sha256, md5, sizeBytes, sent])
}
