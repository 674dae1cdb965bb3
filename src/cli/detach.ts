/** `pregen run … --detach`: what is wrong with the sheet is told now; the run itself goes its own way. */
import { resolve } from 'node:path'
import { openOutputFolder } from '../artifacts/output-folder.ts'
import { errorCode } from '../errors.ts'
import { planSheet } from '../tasks/plan-sheet.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { printJson, printLine } from './print.ts'
import { formatDuration } from './reporters/format.ts'
import { toRunArguments } from './run-arguments.ts'
import type { RunFlags } from './run-flags.ts'
import { toSelectOptions } from './select-options.ts'
import { readSheetInput } from './sheet-input.ts'
import { submitInBackground } from './submit.ts'

type SheetInput = Awaited<ReturnType<typeof readSheetInput>>

/** The command answers within a second: planning that takes longer is left to the run. */
const PLAN_MS = 350

export async function detachRun(sheetPath: string, flags: RunFlags): Promise<ExitCode> {
  const out = await openOutputFolder(resolve(flags.out))
  const input = await readSheetInput(sheetPath)
  const expectedSeconds = await expectSeconds(input, flags)
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

/** From the steps planned and what earlier runs took a step; null where nothing tells, or not in time. */
async function expectSeconds(input: SheetInput, flags: RunFlags): Promise<number | null> {
  const tooLong = AbortSignal.timeout(PLAN_MS)
  try {
    const { totals } = await planSheet({
      ...toSelectOptions(input.sheetPath, flags),
      ...input,
      remoteImages: 'skip',
      signal: tooLong,
    })
    return totals.expectedMs === null ? null : Math.round(totals.expectedMs / 100) / 10
  } catch (error) {
    if (tooLong.aborted && errorCode(error) === 'E_CANCELLED') return null
    throw error
  }
}
