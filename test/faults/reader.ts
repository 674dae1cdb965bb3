/** Promise 2: under a final name there is never a partial file, however often it is looked at. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { compileSource } from '../support/child.ts'

const WRITER = `
  import { encodePng } from './src/artifacts/png.js'
  import { writeFileDurably } from './src/artifacts/durable-write.js'
  const [path, writes] = process.argv.slice(2)
  const pictures = []
  for (let i = 0; i < 16; i++) {
    const side = 8 + i * 12
    const rgb = Uint8Array.from({ length: side * side * 3 }, (_, at) => (at * (i + 3) * 2654435761) >>> 24)
    pictures.push(await encodePng(rgb, side, side))
  }
  for (let i = 0; i < Number(writes); i++) await writeFileDurably(path, pictures[(i * 7) % 16])
`

export interface ReaderResult {
  readonly looks: number
  readonly invalid: number
  /** Different pictures seen, so that a test knows that it looked in mid-work. */
  readonly distinct: number
}

/** Reads a file every millisecond while another process replaces it again and again. */
export async function readWhileWriting(folder: string, writes: number): Promise<ReaderResult> {
  const source = await compileSource(['artifacts', 'images'])
  try {
    const path = join(folder, 'final.png')
    const child = source.start(WRITER, [path, String(writes)])
    let isRunning = true
    const ended = child.ended.finally(() => {
      isRunning = false
    })
    let looks = 0
    let invalid = 0
    const sizes = new Set<number>()
    while (isRunning) {
      const bytes = await readFile(path).catch((error: unknown) => {
        // Before the first write there is no file; after it there always is one.
        if (looks === 0) return null
        throw error
      })
      if (bytes) {
        looks += 1
        sizes.add(bytes.byteLength)
        if (!isWholePng(bytes)) invalid += 1
      }
      await sleep(1)
    }
    const end = await ended
    if (end.code !== 0) throw new Error(`the writer failed: ${end.stderr}`)
    return { looks, invalid, distinct: sizes.size }
  } finally {
    await source.remove()
  }
}

/** Signature, every chunk's CRC, and nothing missing or left over behind IEND. */
export function isWholePng(bytes: Buffer): boolean {
  if (bytes.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n') return false
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at)
    if (end > bytes.length) return false
    if (crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) return false
    if (bytes.toString('latin1', at + 4, at + 8) === 'IEND') return end === bytes.length
    at = end
  }
  return false
}
