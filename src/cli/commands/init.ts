/** `pregen init`: a sheet to start from. */
import { open } from 'node:fs/promises'
import { isKnownModel, sheetFor, starterSheet } from '../../cue-sheet/starter.ts'
import { errorCode, PregenError } from '../../errors.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine } from '../print.ts'

/** @throws PregenError `E_FILE_EXISTS` for a file that is there, unless `--force` */
export async function initCommand(
  file: string,
  flags: { readonly force?: boolean; readonly model?: string },
): Promise<ExitCode> {
  const { model } = flags
  try {
    const handle = await open(file, flags.force === true ? 'w' : 'wx')
    try {
      await handle.writeFile(model !== undefined && isKnownModel(model) ? sheetFor(model) : starterSheet())
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      throw new PregenError('E_FILE_EXISTS', `${file} is there already.`, {
        help: 'Give another name, or --force to replace it.',
        cause: error,
      })
    }
    if (error instanceof Error && 'code' in error) {
      throw new PregenError('E_WRITE_FAILED', `cannot write ${file}: ${error.message}`, {
        help: 'See that the folder exists and may be written to.',
        cause: error,
      })
    }
    throw error
  }
  printLine(process.stderr, `${file} written. Next: pregen run ${file} --dry-run`)
  return EXIT.ok
}
