/** A sheet on stdin, for commands that need it more than once: it is read here, and handed on as bytes. */
import { STDIN } from '../cue-sheet/read.ts'
import { MAX_SHEET_BYTES } from '../cue-sheet/scan.ts'
import type { SelectOptions } from '../run/options.ts'

export async function readSheetInput(path: string): Promise<Pick<SelectOptions, 'sheetPath' | 'sheetBytes'>> {
  if (path !== STDIN) return { sheetPath: path }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(Buffer.from(chunk))
    length += chunks.at(-1)?.length ?? 0
    // One byte more than allowed is enough to know that it is too large.
    if (length > MAX_SHEET_BYTES) break
  }
  return { sheetPath: 'stdin', sheetBytes: Buffer.concat(chunks) }
}
