/** `pregen plan`: what `run` would do, and why, without doing it. */

import { plural } from '../../printable.ts'
import { type PlanReport, planSheet, type UnitPlan } from '../../tasks/plan-sheet.ts'
import { conceal } from '../concealed.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLine, printLines } from '../print.ts'
import { formatBytes, formatDuration, formatTable } from '../reporters/format.ts'
import { type SelectFlags, toSelectOptions } from '../select-options.ts'

export async function planCommand(
  sheetPath: string,
  flags: SelectFlags & { readonly json?: boolean },
): Promise<ExitCode> {
  const report = await planSheet({
    ...toSelectOptions(sheetPath, flags),
    remoteImages: flags.fetch === true ? 'fetch' : 'skip',
    withoutTargets: true,
  })
  if (flags.json === true) printJson(process.stdout, report, 2)
  else printLines(process.stdout, [...tableOf(report), '', ...totalsOf(report)])
  for (const { code, message } of report.warnings)
    printLine(process.stderr, `warning  ${code}  ${conceal(message)}`)
  return EXIT.ok
}

function tableOf(report: PlanReport): string[] {
  const rows = report.units.map((unit: UnitPlan) => [
    `${unit.cue}/${unit.variant}`,
    unit.program,
    unit.action,
    unit.reason,
    `${unit.width}×${unit.height}`,
    String(unit.stepsExecuted),
    unit.seed,
  ])
  return formatTable(['unit', 'program', 'action', 'reason', 'size', 'steps', 'seed'], rows)
}

function totalsOf({ version, shard, folder, totals, strays, isBucketUnasked }: PlanReport): string[] {
  const time =
    totals.expectedMs === null
      ? 'time unknown until a first run'
      : `about ${formatDuration(totals.expectedMs)}`
  return [
    `${version}${shard === null ? '' : ` (shard ${shard})`}: ${plural(totals.units, 'unit')}, ${totals.run} to run, ${totals.skip} whole already`,
    `${plural(totals.steps, 'step')}, ${plural(totals.files, 'file')}, about ${formatBytes(totals.bytes)}, ${time}`,
    folder,
    ...strays.slice(0, 20).map((key) => `no longer in the sheet  ${key}`),
    ...(strays.length > 0
      ? [`${plural(strays.length, 'variant')} no longer in the sheet; "pregen prune" removes them`]
      : []),
    ...(isBucketUnasked
      ? ['the bucket was not asked; with --fetch, what is whole there counts as done']
      : []),
  ]
}
