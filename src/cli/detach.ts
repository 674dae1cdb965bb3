/** `pregen run … --detach`: what is wrong with the sheet is told now; the run itself goes its own way. */
import { resolve } from 'node:path'
import { openOutputFolder } from '../artifacts/output-folder.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { expectSeconds } from './expected-time.ts'
import { printJson, printLine } from './print.ts'
import { formatDuration } from './reporters/format.ts'
import { toRunArguments } from './run-arguments.ts'
import type { RunFlags } from './run-flags.ts'
import { toSelectOptions } from './select-options.ts'
import { readSheetInput } from './sheet-input.ts'
import { submitInBackground } from './submit.ts'

export async function detachRun(sheetPath: string, flags: RunFlags): Promise<ExitCode> {
  const out = await openOutputFolder(resolve(flags.out))
  const input = await readSheetInput(sheetPath)
  const expectedSeconds = await expectSeconds({ ...toSelectOptions(input.sheetPath, flags), ...input })
  const options = toRunArguments(flags)
  const cwd = process.cwd()
  const run = await submitInBackground({
    out,
    sheet: input.sheetPath,
    text: input.sheetBytes && Buffer.from(input.sheetBytes).toString('utf8'),
    options,
    cwd,
    expectedSeconds,
  })
  if (flags.format === 'ndjson') {
    printJson(process.stdout, { ...run, url: null })
    return EXIT.ok
  }
  const place =
    run.position === null ? run.state : run.position === 1 ? 'next in line' : `${run.position}. in line`
  const time = expectedSeconds === null ? 'unknown' : `about ${formatDuration(expectedSeconds * 1000)}`
  const where = flags.out === 'out' ? '' : ` --out ${flags.out}`
  printLine(process.stdout, run.id)
  printLine(process.stderr, `${place}; expected time: ${time}`)
  printLine(
    process.stderr,
    `follow it: pregen status ${run.id} --watch${where}   or: pregen serve ${flags.out}`,
  )
  printLine(process.stderr, `end it:    pregen cancel ${run.id}${where}`)
  return EXIT.ok
}
