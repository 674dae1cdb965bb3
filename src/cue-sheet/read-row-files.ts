/** Files of rows from disk, read as any foreign file is. */
import { dirname, resolve } from 'node:path'
import { errorCode } from '../errors.ts'
import { readRegularFile, UnreadFile } from '../files/read-regular-file.ts'
import { MAX_ROW_FILE_BYTES, type RowFile, RowFileError, readRows } from './row-file.ts'

/**
 * @param names as the sheet has them: paths relative to it
 * @param sheet path of the sheet
 */
export async function readRowFiles(
  names: readonly string[],
  sheet: string,
): Promise<ReadonlyMap<string, RowFile>> {
  const files = new Map<string, RowFile>()
  for (const name of names) files.set(name, await readRowFile(name, sheet))
  return files
}

async function readRowFile(name: string, sheet: string): Promise<RowFile> {
  const fault = (what: string, help: string, line?: number): RowFile => {
    const code = line === undefined ? 'E_ROWS_FILE' : 'E_ROWS_SYNTAX'
    return { file: name, code, what, help, line }
  }
  if (!/\.(?:csv|jsonl|ndjson)$/i.test(name)) {
    return fault('the file is neither .csv nor .jsonl.', 'Give it the ending of what it holds.')
  }
  try {
    const bytes = await readRegularFile(resolve(dirname(resolve(sheet)), name), {
      maxBytes: MAX_ROW_FILE_BYTES,
    })
    return { file: name, rows: readRows(bytes, name) }
  } catch (error) {
    if (error instanceof RowFileError) return fault(error.message, error.help, error.line)
    if (error instanceof UnreadFile) {
      return error.reason === 'too-large'
        ? fault('the file is larger than 1 MiB.', 'Split it over several cues.')
        : fault('this is no file.', 'Name a .csv or .jsonl file, relative to the sheet.')
    }
    const code = errorCode(error)
    if (code === undefined) throw error
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return fault('there is no such file.', 'Paths are relative to the sheet.')
    return fault(`the file cannot be read (${code}).`, 'Check that you may read it.')
  }
}
