/** `pregen models inspect`: what a folder holds, and every fault of it. */

import { PregenErrors } from '../../errors.ts'
import { cacheFolder } from '../../library/home.ts'
import { cardWords } from '../../plan/memory.ts'
import { inspectModel, type ModelReport } from '../../tasks/inspect-model.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLines } from '../print.ts'
import { createHashProgress } from '../progress.ts'
import { formatBytes, formatTable } from '../reporters/format.ts'

/** @throws PregenErrors with every fault of the folder; of weights that are not there after the rest is told */
export async function inspectCommand(
  dir: string,
  { json = false, variant }: { readonly json?: boolean; readonly variant?: string },
): Promise<ExitCode> {
  const { onHash, stop } = await createHashProgress()
  const report = await inspectModel(dir, { cacheDir: cacheFolder(process.env), onHash, variant })
  stop()
  if (json) printJson(process.stdout, report, 2)
  else printLines(process.stdout, linesOf(report))
  if (report.absent.length > 0) throw new PregenErrors(report.absent)
  return EXIT.ok
}

function linesOf(report: ModelReport): string[] {
  const { facts } = report
  const lines = [
    `${report.path}`,
    `  family       ${facts.family} (${report.className})`,
    `  fingerprint  ${facts.fingerprint}`,
    `  scheduler    ${facts.schedulerClass}`,
    `  defaults     ${facts.defaults.width}×${facts.defaults.height}, ${facts.defaults.steps} steps, guidance ${facts.defaults.guidanceScale}`,
    `  sizes        multiples of ${facts.sizeMultiple}`,
    `  latents      ${facts.latentChannels} channels`,
    `  previews     ${report.previews.join(', ')}`,
    `  image input  ${facts.hasVaeEncoder ? 'yes' : 'no (there is no vae_encoder)'}`,
    ...(report.memory === null
      ? []
      : [
          `  memory       about ${formatBytes(report.memory.cpu.peakBytes)} on the CPU, ${formatBytes(report.memory.gpu.peakBytes)} on a GPU (${cardWords(report.memory.gpu)})`,
        ]),
  ]
  const rows = report.components.map(({ name, opset, sizeBytes, dtypes, inputs }) => [
    name,
    formatBytes(sizeBytes),
    `opset ${opset}`,
    dtypes.join(', '),
    inputs.join(' '),
  ])
  const { unfused } = report
  const note = unfused === null ? [] : ['', unfused.problem, `  ${unfused.help}`]
  return [...lines, '', ...formatTable(['component', 'size', 'opset', 'types', 'inputs'], rows), ...note]
}
