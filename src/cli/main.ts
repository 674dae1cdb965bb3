/**
 * The command line: names and options of every command. Each command's code is loaded when it is called, so
 * `--help` and `--version` answer at once.
 */
import { Command, CommanderError, Option } from 'commander'
import { KNOWN_MODELS } from '../cue-sheet/starter.ts'
import { standInForHome } from '../library/home.ts'
import { readPackageVersion } from '../library/package.ts'
import { addDrawingCommands } from './drawing-commands.ts'
import { EXIT } from './exit-codes.ts'
import { addModelCommands } from './model-commands.ts'
import { watchOutput } from './output-faults.ts'
import { printBlock } from './print.ts'
import { addQueueCommands } from './queue-commands.ts'
import { reportError } from './report-error.ts'
import type { Outcome } from './shared-options.ts'
import { addTreeCommands } from './tree-commands.ts'
import { addWatchingCommands } from './watching-commands.ts'

/** @returns the exit code; never throws */
export async function main(argv: readonly string[]): Promise<number> {
  standInForHome()
  const output = watchOutput(process.stdout, process.stderr)
  const outcome: Outcome = { exitCode: EXIT.ok }
  const program = createProgram(outcome)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return await output.settle(outcome.exitCode)
  } catch (thrown) {
    if (thrown instanceof CommanderError)
      return await output.settle(thrown.exitCode === 0 ? EXIT.ok : EXIT.usage)
    return reportError(thrown, process.stderr)
  }
}

function createProgram(outcome: Outcome): Command {
  const program = new Command('pregen')
    .description('Renders a cue sheet of programs × cues × variants with diffusion models on ONNX Runtime.')
    .version(readPackageVersion(), '-V, --version')
    .showHelpAfterError('(pregen --help lists the commands)')
    .exitOverride()
    // Usage errors quote arguments, which a script may have from anywhere.
    .configureOutput({
      writeOut: (text) => printBlock(process.stdout, text),
      writeErr: (text) => printBlock(process.stderr, text),
    })
    .addHelpText(
      'after',
      `
Examples:
  pregen init                                   a sheet to start from, with the embedded model
  pregen run cues.yaml --dry-run                try it here: disk only, no bucket, no network
  pregen plan cues.yaml                         what would run, what is whole already, and why
  pregen run cues.yaml --cue 'dawn*' --force    do some of it again

Exit codes: 0 all done, 1 a bug, 2 bad usage or input, 3 some units failed,
75 drained with units left, 129/130/143 cancelled by SIGHUP, SIGINT, SIGTERM.`,
    )
  addDrawingCommands(program, outcome)
  addTreeCommands(program, outcome)
  addModelCommands(program, outcome)
  addWatchingCommands(program, outcome)
  addQueueCommands(program, outcome)
  program
    .command('schema')
    .description('the JSON Schema of the cue sheet, for editors')
    .action(async () => {
      outcome.exitCode = await (await import('./commands/schema.ts')).schemaCommand()
    })

  program
    .command('init')
    .argument('[file]', 'the sheet to write', 'cues.yaml')
    .description('write a sheet to start from')
    .option('--force', 'replace a file that is there')
    .addOption(
      new Option('--model <name>', 'with the settings of a published model').choices(
        Object.keys(KNOWN_MODELS),
      ),
    )
    .action(async (file: string, options) => {
      outcome.exitCode = await (await import('./commands/init.ts')).initCommand(file, options)
    })

  return program
}
