/**
 * The command line: names and options of every command. Each command's code is loaded when it is called, so
 * `--help` and `--version` answer at once.
 */
import { Argument, Command, CommanderError, Option } from 'commander'
import { KNOWN_MODELS } from '../cue-sheet/starter.ts'
import { FILM_FORMATS } from '../films/film-options.ts'
import { standInForHome } from '../library/home.ts'
import { readPackageVersion } from '../library/package.ts'
import { EXIT } from './exit-codes.ts'
import {
  collectPlace,
  collectText,
  collectVariable,
  parseBatch,
  parseDevices,
  parseFade,
  parseFps,
  parseGuidanceScale,
  parseHold,
  parsePaceOption,
  parsePositiveInteger,
  parsePriority,
  parseText,
  parseTwoOrMore,
  parseWholeNumber,
} from './option-values.ts'
import { watchOutput } from './output-faults.ts'
import { printBlock } from './print.ts'
import { reportError } from './report-error.ts'
import { REPORT_FORMATS } from './reporters/reporter.ts'

const VARIANT_HELP = 'such as fp16: model_fp16.onnx or model.fp16.onnx where they are'
const PROVIDERS = ['auto', 'cuda', 'webgpu', 'dml', 'coreml', 'cpu']

/** @returns the exit code; never throws */
export async function main(argv: readonly string[]): Promise<number> {
  standInForHome()
  const output = watchOutput(process.stdout, process.stderr)
  const outcome: { exitCode: number } = { exitCode: EXIT.ok }
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

function createProgram(outcome: { exitCode: number }): Command {
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
    .option(
      '--trust-size',
      "do not hash big model files: the hub's cache names their hash, others go by size",
    )
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
    .option(
      '--trust-size',
      "do not hash big model files: the hub's cache names their hash, others go by size",
    )
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

  withEndpoint(withVariables(program.command('upload')))
    .argument('<dir>', 'the --out folder of a run', parseText)
    .description('send, or mend in the bucket, a finished tree')
    .option('--sheet <sheet>', 'the cue sheet whose `storage` says where to (default: that of your last run)')
    .addOption(new Option('--bucket <name>', 'where to, without a sheet').conflicts('sheet'))
    .option('--endpoint <url>', 'of --bucket (default: AWS)', parseText)
    .option('--region <name>', 'of --bucket', parseText)
    .option('--prefix <folder>', 'of --bucket: a folder in it for everything', parseText)
    .option('--concurrency <n>', 'uploads in flight', parsePositiveInteger)
    .option('--all', 'send variants, too, that are no longer in the sheet')
    .option('--verify-remote', "compare the bucket's listing, whatever the ledger remembers")
    .addOption(
      new Option('--format <format>', 'how the upload reports').choices([...REPORT_FORMATS]).default('auto'),
    )
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/upload.ts')).uploadCommand(dir, options)
    })

  withEndpoint(withVariables(program.command('verify')))
    .argument('<dir>', 'the --out folder of a run', parseText)
    .description('is the tree whole? in the bucket too?')
    .option('--bucket', 'compare the bucket too: that of the last run, or the one that --sheet names')
    .option('--sheet <sheet>', 'the sheet that the folder was made from; needed for --rerender')
    .option('--rerender <k>', 'draw K finished units again, elsewhere, and compare', parsePositiveInteger)
    .option('--version-id <id>', 'the version to draw again, over PREGEN_VERSION_ID and the sheet')
    .addOption(providerOption())
    .addOption(testFaultsOption())
    .option('--json', 'the findings as JSON on stdout')
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/verify.ts')).verifyCommand(dir, options)
    })

  program
    .command('gallery')
    .argument('<dir>', 'the --out folder of a run', parseText)
    .description('write the page beside the pictures: gallery, grid and replay without a server')
    .option('--version-id <id>', 'only this version (default: every one in the folder)', parseText)
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/gallery.ts')).galleryCommand(dir, options)
    })

  program
    .command('film')
    .argument('<dir>', 'the --out folder of a run', parseText)
    .description("films of how pictures formed, at their steps' own pace")
    .option('--version-id <id>', 'only this version (default: every one in the folder)', parseText)
    .option('--cue <glob>', 'only these cues', parseText)
    .option('--variant <glob>', 'only these variants', parseText)
    .option('--program <glob>', 'only these programs', parseText)
    .addOption(new Option('--format <format>', 'kind of film').choices([...FILM_FORMATS]).default('mp4'))
    .option(
      '--pace <pace>',
      'true: as timing.json has it; even: steps alike; a factor: 2 is twice as fast',
      parsePaceOption,
      'true',
    )
    .option('--hold <time>', 'how long the final picture stays (default: 2s)', parseHold, 2000)
    .option('--fade <ms>', 'a cross-fade from step to step', parseFade, 0)
    .option('--fps <n>', 'frames a second, where the format has them', parseFps, 30)
    .option('--grid', 'one film a cue, its variants side by side')
    .option('--to <folder>', 'where films go (default: <dir>/films)', parseText)
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/film.ts')).filmCommand(dir, options)
    })

  withEndpoint(withVariables(program.command('doctor')))
    .argument('[sheet]', 'a cue sheet whose models and bucket are checked too')
    .description('providers, models, dtypes, bucket: what works here, and what to do about the rest')
    .option('--json', 'the findings as JSON on stdout')
    .action(async (sheet: string | undefined, options) => {
      outcome.exitCode = await (await import('./commands/doctor.ts')).doctorCommand(sheet, options)
    })

  const models = program.command('models').description('look into model folders')
  models
    .command('inspect')
    .argument('<dir>', 'a folder in the ONNX layout of diffusers')
    .description('family, components, dtypes, scheduler, sizes; every fault of the folder')
    .option('--variant <name>', VARIANT_HELP, parseText)
    .option('--json', 'as JSON on stdout')
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/models-inspect.ts')).inspectCommand(dir, options)
    })
  models
    .command('pull')
    .argument('<model>', 'OWNER/NAME or OWNER/NAME@REVISION on the Hugging Face hub')
    .description("fetch a model in ONNX into the hub's cache; prints its folder")
    .option('--variant <name>', 'such as fp16: takes model_fp16.onnx or model.fp16.onnx', parseText)
    .action(async (name: string, options) => {
      outcome.exitCode = await (await import('./commands/models-pull.ts')).pullCommand(name, options)
    })
  models
    .command('calibrate')
    .argument('<dir>', 'a folder in the ONNX layout of diffusers')
    .description('fit the latent → RGB map of the previews to this very model')
    .option('--out <file>', 'where preview.json goes (default: into the model folder)')
    .option('--strip <file>', 'where the strip before / after / true goes (default: beside preview.json)')
    .option('--prompts <file>', 'one prompt a line (default: a list of general ones)')
    .option('--pictures <n>', 'pictures to fit on, 2 or more', parseTwoOrMore, 24)
    .option('--steps <n>', 'steps a picture (default: as the family likes)', parsePositiveInteger)
    .option(
      '--guidance-scale <x>',
      'guidance of the pictures (default: as the family likes)',
      parseGuidanceScale,
    )
    .option('--variant <name>', VARIANT_HELP, parseText)
    .addOption(providerOption())
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/models-calibrate.ts')).calibrateCommand(dir, options)
    })

  models
    .command('optimize')
    .argument('<dir>', 'a model folder', parseText)
    .description(
      "keep ONNX Runtime's optimized graphs in the cache: the model loads faster, and draws the same",
    )
    .option('--variant <name>', VARIANT_HELP, parseText)
    .addOption(providerOption())
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/models-optimize.ts')).optimizeCommand(dir, options)
    })

  const providers = program
    .command('providers')
    .description('libraries of GPU providers that npm does not bring')
  providers
    .command('install')
    .addArgument(new Argument('<provider>', 'which provider').choices(['cuda']))
    .description('fetch the CUDA provider of the very ONNX Runtime that is here, into the cache')
    .option(
      '--from <path>',
      'a wheel of onnxruntime-gpu, or a folder of wheels, in place of PIP_INDEX_URL',
      parseText,
    )
    .option('--with-libraries', "fetch NVIDIA's wheels too, as far as CUDA's libraries are not here (1.3 GB)")
    .option('--without-card', 'go on where there is no driver or no fitting card, for a machine that has one')
    .action(async (_provider: string, options) => {
      const { providersInstallCommand } = await import('./commands/providers.ts')
      outcome.exitCode = await providersInstallCommand(options)
    })
  providers
    .command('list')
    .description('what is installed, for which ONNX Runtime')
    .option('--json', 'as JSON on stdout')
    .action(async (options) => {
      outcome.exitCode = await (await import('./commands/providers.ts')).providersListCommand(options)
    })
  providers
    .command('remove')
    .addArgument(new Argument('<provider>', 'which provider').choices(['cuda']))
    .description('take it out of the cache')
    .action(async () => {
      outcome.exitCode = await (await import('./commands/providers.ts')).providersRemoveCommand()
    })

  program
    .command('serve')
    .argument('[dir]', 'the --out folder of runs', parseText, 'out')
    .description('live page, gallery, replay and jobs over HTTP')
    .option('--port <n>', 'where to listen; 0: any port that is free', parseWholeNumber, 4747)
    .option(
      '--host <address>',
      'which address to listen on; another than loopback needs --token',
      parseText,
      '127.0.0.1',
    )
    .option('--token <text>', 'who asks must know it (default: made anew)', parseText)
    .addOption(
      new Option('--allow-origin <url>', 'a page of this origin may ask, too; several times').argParser(
        collectText,
      ),
    )
    .option('--sheets <dir>', 'where sheets, models and images of requests may lie', parseText)
    .option('--preview-quality <n>', 'JPEG quality of live pictures', parsePositiveInteger, 75)
    .option('--preview-size <n>', 'longest edge of live pictures', parsePositiveInteger, 512)
    .action(async (dir: string, options) => {
      outcome.exitCode = await (await import('./commands/serve.ts')).serveCommand(dir, options)
    })
  withQueue(withJobs(program.command('jobs')))
    .description('runs of an output folder, or sheets of a queue: waiting, at work, ended')
    .action(async (options) => {
      if (options.queue !== undefined) {
        outcome.exitCode = await (await import('./commands/queue.ts')).listQueueCommand(options)
        return
      }
      outcome.exitCode = await (await import('./commands/jobs.ts')).jobsCommand(options)
    })
  withJobs(program.command('status').argument('[id]', 'a run, or the end of its id (default: the newest)'))
    .description('how a run stands')
    .option('--watch', 'go on until it has ended')
    .action(async (id: string | undefined, options) => {
      outcome.exitCode = await (await import('./commands/jobs.ts')).statusCommand(id, options)
    })
  withQueue(withJobs(program.command('cancel').argument('<id>', 'a run, or the end of its id')))
    .description('end a run as SIGTERM does, or take it out of its queue; with --queue a sheet')
    .option('--drain', 'let it finish the pictures in hand first')
    .action(async (id: string, options) => {
      if (options.queue !== undefined) {
        outcome.exitCode = await (await import('./commands/queue.ts')).cancelQueuedCommand(id, options)
        return
      }
      outcome.exitCode = await (await import('./commands/jobs.ts')).cancelCommand(id, options)
    })

  withQueue(program.command('retry').argument('<sheet>', 'the beginning of its id, or its version'))
    .description('put the jobs of a sheet that were given up into the queue again')
    .action(async (sheet: string, options) => {
      outcome.exitCode = await (await import('./commands/queue.ts')).retryCommand(sheet, options)
    })
  withEndpoint(
    withUnits(
      withQueue(
        program.command('enqueue').argument('<sheet>', 'the cue sheet (YAML); - reads it from stdin'),
      ),
    ),
  )
    .description(
      'put what the bucket lacks of a sheet into a queue, for "pregen work" on any number of machines',
    )
    .option('--priority <n>', '1 comes first, 2097151 last', parsePriority, 1000)
    .option('--force', 'put units in that are whole already')
    .option(
      '--trust-size',
      "do not hash big model files: the hub's cache names their hash, others go by size",
    )
    .option('--allow-private-urls', 'let image and callback URLs point at private addresses')
    .option('--json', 'what was put in as JSON on stdout')
    .action(async (sheet: string, options) => {
      outcome.exitCode = await (await import('./commands/enqueue.ts')).enqueueCommand(sheet, options)
    })
  withEndpoint(withVariables(withQueue(program.command('work'))))
    .description('draw what a queue holds, send it to its bucket, and confirm it then')
    .option('--out <dir>', 'where units are written before they are sent', parseText, 'out')
    .option(
      '--model <id=folder>',
      "this machine's folder of a model that sheets call so; several times",
      collectPlace,
    )
    .option('--sheets <dir>', 'where models and images that sheets name by path may lie', parseText)
    .option('--bucket <name>', 'take no sheet that names another bucket', parseText)
    .option('--drain', 'end when the queue is empty')
    .option('--max-jobs <n>', 'end after so many jobs', parsePositiveInteger)
    .option('--idle-timeout <seconds>', 'end when there was nothing to do for so long', parsePositiveInteger)
    .option('--name <text>', 'what others see of this machine (default: host and process)', parseText)
    .addOption(new Option('--lease <seconds>').argParser(parsePositiveInteger).hideHelp())
    .addOption(providerOption())
    .option('--device-id <n>', 'which device of the provider', parseWholeNumber)
    .option('--devices <ids>', 'several devices, such as 0,1: each takes the next picture', parseDevices)
    .option('--threads <n>', 'CPU threads for inference', parsePositiveInteger)
    .option('--concurrency <n>', 'uploads in flight', parsePositiveInteger)
    .option(
      '--trust-size',
      "do not hash big model files: the hub's cache names their hash, others go by size",
    )
    .option('--allow-private-urls', 'let image and callback URLs point at private addresses')
    .addOption(testFaultsOption())
    .addOption(
      new Option('--format <format>', 'how the worker reports').choices(['plain', 'ndjson']).default('plain'),
    )
    .action(async (options) => {
      outcome.exitCode = await (await import('./commands/work.ts')).workCommand(options)
    })

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

/** The options that say how much of the environment a sheet may read. */
function withVariables(command: Command): Command {
  return command
    .option(
      '--env <name>',
      'an environment variable that the sheet may read, beside PREGEN_*; repeatable',
      collectVariable,
    )
    .option('--env-all', 'let the sheet read the whole environment, secrets too: for sheets that you trust')
}

/** The options that say where a run writes and which of its units it means. */
function withSelection(command: Command): Command {
  return withUnits(command)
    .option('--out <dir>', 'where the tree is written', parseText, 'out')
    .option('--shard <i/n>', 'only the i-th of n shares (also read from the batch system)')
    .option('--shard-total <n>', 'how many shares, where the batch system does not say', parsePositiveInteger)
}

/** The options that say which units of a sheet are meant. */
function withUnits(command: Command): Command {
  return withVariables(command)
    .option('--version-id <id>', 'the version, over PREGEN_VERSION_ID and the sheet')
    .option('--cue <glob>', 'only these cues', parseText)
    .option('--variant <glob>', 'only these variants', parseText)
    .option('--program <glob>', 'only these programs', parseText)
}

function withQueue(command: Command): Command {
  return command.option(
    '--queue <url>',
    'redis://host:6379, or rediss:// for TLS (enqueue, work, retry: default PREGEN_QUEUE)',
    parseText,
  )
}

/** Without it `PREGEN_FAULTS` is not looked at: the environment alone breaks no run. */
function testFaultsOption(): Option {
  return new Option('--test-faults').hideHelp()
}

function withJobs(command: Command): Command {
  return command
    .option('--out <dir>', 'the --out folder of the runs', parseText, 'out')
    .option('--json', 'as JSON on stdout')
}

/** The options that say how far `storage.endpoint` may lead. */
function withEndpoint(command: Command): Command {
  return command
    .option('--allow-local-endpoint', "let the sheet's storage.endpoint be this machine")
    .option('--allow-private-endpoint', "let the sheet's storage.endpoint lie in a private network")
}

function providerOption(): Option {
  return new Option('--provider <name>', 'where inference runs').choices(PROVIDERS)
}
