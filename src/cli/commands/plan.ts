/** `pregen plan`: what `run` would do, and why, without doing it. */

import { cardWords } from '../../plan/memory.ts'
import { plural } from '../../printable.ts'
import { type PlanReport, planSheet, type UnitPlan } from '../../tasks/plan-sheet.ts'
import { conceal } from '../concealed.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLine, printLines } from '../print.ts'
import { createHashProgress } from '../progress.ts'
import { formatBytes, formatDuration, formatTable } from '../reporters/format.ts'
import { type SelectFlags, toSelectOptions } from '../select-options.ts'

export async function planCommand(
  sheetPath: string,
  flags: SelectFlags & { readonly json?: boolean },
): Promise<ExitCode> {
  const hashing = await createHashProgress()
  const report = await planSheet({
    ...toSelectOptions(sheetPath, flags),
    onHash: hashing.onHash,
    remoteImages: flags.fetch === true ? 'fetch' : 'skip',
    withoutTargets: true,
    withoutWeights: true,
  })
  hashing.stop()
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

/**
 * Operations a second, for a first idea where no earlier run tells: Wan's authors report about 4 minutes for 28 PFLOP on an RTX 4090
 * (README of Wan 2.1); two cores of a server multiply float32 matrices at 0.1 TFLOP/s (measured).
 */
const RATES = [
  ['a large GPU', 1e14],
  ['two cores of a processor', 1e11],
] as const

/** Memory of the largest video, and the work of all. */
function videoLines({ units, totals }: PlanReport): string[] {
  const videos = units.flatMap(({ action, video }) => (action === 'run' && video ? [video] : []))
  if (videos.length === 0) return []
  const memory = Math.max(...videos.map(({ memoryBytes }) => memoryBytes))
  const work = videos.reduce((sum, { flops }) => sum + flops, 0)
  const first = RATES.map(
    ([what, rate]) => `${formatDuration((work / rate) * 1000)} at ${rate / 1e12} TFLOP/s (${what})`,
  )
  const basis =
    totals.expectedMs === null
      ? `no earlier run here tells their time, in the order of ${first.join(', ')}`
      : `the time is told by ${plural(totals.timedUnits, 'earlier unit')}`
  return [
    `${plural(videos.length, 'video')}: about ${formatBytes(memory)} of memory at most; ${(work / 1e15).toPrecision(2)} PFLOP of work; ${basis}`,
  ]
}

function totalsOf(report: PlanReport): string[] {
  const { version, shard, folder, totals, memory, strays, isBucketUnasked } = report
  const time =
    totals.expectedMs === null
      ? 'time unknown until a first run'
      : `about ${formatDuration(totals.expectedMs)}`
  return [
    `${version}${shard === null ? '' : ` (shard ${shard})`}: ${plural(totals.units, 'unit')}, ${totals.run} to run, ${totals.skip} whole already`,
    `${plural(totals.steps, 'step')}, ${plural(totals.files, 'file')}, about ${formatBytes(totals.bytes)}, ${time}`,
    ...videoLines(report),
    ...memory.map(
      ({ model, picture, cpu, gpu }) =>
        `${model} at ${picture.width}×${picture.height}: about ${formatBytes(cpu.peakBytes)} of memory on the CPU, ${formatBytes(gpu.peakBytes)} on a GPU (${cardWords(gpu)})`,
    ),
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
