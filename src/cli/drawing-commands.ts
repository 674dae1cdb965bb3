/** `run`, `plan`, `prune`: commands of a sheet. */
import { type Command, Option } from 'commander'
import { parseBatch, parseDevices, parsePositiveInteger, parseWholeNumber } from './option-values.ts'
import { REPORT_FORMATS } from './reporters/reporter.ts'
import {
  type Outcome,
  providerOption,
  testFaultsOption,
  trustSizeOption,
  withEndpoint,
  withSelection,
} from './shared-options.ts'

export function addDrawingCommands(program: Command, outcome: Outcome): void {
  withEndpoint(
    withSelection(program.command('run').argument('<sheet>', 'the cue sheet (YAML); - reads it from stdin')),
  )
    .description('generate, write and upload what the sheet asks for and is not there yet')
    .option('--dry-run', 'to disk only: no bucket, no credentials, no network')
    .option('--fetch', 'let a dry run fetch init images behind URLs')
    .option('--force', 'do units again that are whole already')
    .option('--fail-fast', 'stop at the first unit that fails')
    .addOption(providerOption())
    .option('--device-id <n>', 'which device of the provider', parseWholeNumber)
    .addOption(
      new Option('--devices <ids>', 'several devices, such as 0,1, or all: each takes the next picture')
        .argParser(parseDevices)
        .conflicts('deviceId'),
    )
    .option('--threads <n>', 'CPU threads for inference', parsePositiveInteger)
    .option('--batch <n>', "variants a model call, over the sheet's; auto: as many as pay here", parseBatch)
    .option('--concurrency <n>', 'uploads in flight', parsePositiveInteger)
    .option('--drain', 'let Ctrl-C and SIGTERM finish the pictures in hand first; SIGUSR1 always does')
    .option('--detach', 'run in the background: prints its id and returns')
    .option('--wait', 'wait until earlier runs on the output folder have ended')
    .option(
      '--serve [port]',
      'the live page for as long as the run lasts (port 4747; 0: any)',
      parseWholeNumber,
    )
    .addOption(new Option('--run-id <id>').hideHelp())
    .option('--live-file', 'keep <out>/.pregen/live/<cue>/<variant>_preview.png at the newest preview')
    .option('--verify-remote', "compare the bucket's listing before anything counts as uploaded")
    .option('--pull', 'bring down what the bucket holds whole and the folder lacks')
    .addOption(trustSizeOption())
    .option('--allow-private-urls', 'let image and callback URLs point at private addresses')
    .addOption(testFaultsOption())
    .addOption(
      new Option('--format <format>', 'how the run reports').choices([...REPORT_FORMATS]).default('auto'),
    )
    .action(async (sheet: string, options) => {
      outcome.exitCode = await (await import('./commands/run.ts')).runCommand(sheet, options)
    })

  withEndpoint(
    withSelection(program.command('plan').argument('<sheet>', 'the cue sheet (YAML); - reads it from stdin')),
  )
    .description('what would run or be skipped, and why; counts, bytes, expected time')
    .option('--force', 'as `run --force` would plan it')
    .option('--json', 'the plan as JSON on stdout')
    .option('--fetch', 'ask the network: init images behind URLs, and what is whole in the bucket')
    .addOption(trustSizeOption())
    .option('--allow-private-urls', 'let image URLs point at private addresses')
    .action(async (sheet: string, options) => {
      outcome.exitCode = await (await import('./commands/plan.ts')).planCommand(sheet, options)
    })

  withEndpoint(withSelection(program.command('prune').argument('<sheet>', 'the cue sheet (YAML)')))
    .description('what the folder and the bucket hold of variants that the sheet has no more')
    .option('--yes', 'remove it; without this it is only told')
    .option('--dry-run', 'the folder alone: no bucket, no credentials, no network')
    .action(async (sheet: string, options) => {
      outcome.exitCode = await (await import('./commands/prune.ts')).pruneCommand(sheet, options)
    })
}
