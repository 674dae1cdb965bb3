/** `-` in the place of a sheet's path: the sheet comes on stdin, and its relative paths start from the working folder. */
import { MAX_SHEET_BYTES } from '../cue-sheet/scan.ts'
import type { SelectOptions } from '../run/options.ts'

/** What messages call a sheet that is no file. */
export const INPUT_NAME = 'sheet.yaml'

export async function readSheetInput(path: string): Promise<Pick<SelectOptions, 'sheetPath' | 'sheetBytes'>> {
  if (path !== '-') return { sheetPath: path }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(Buffer.from(chunk))
    length += chunks.at(-1)?.length ?? 0
    // One byte more than allowed is enough to know that it is too large.
    if (length > MAX_SHEET_BYTES) break
  }
  return { sheetPath: INPUT_NAME, sheetBytes: Buffer.concat(chunks) }
}
