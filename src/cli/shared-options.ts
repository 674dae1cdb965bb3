/** Options that several commands have. */
import { type Command, Option } from 'commander'
import { collectVariable, parsePositiveInteger, parseText } from './option-values.ts'

/** Where a command leaves its exit code. */
export interface Outcome {
  exitCode: number
}

export const VARIANT_HELP = 'such as fp16: model_fp16.onnx or model.fp16.onnx where they are'
const PROVIDERS = ['auto', 'cuda', 'webgpu', 'dml', 'coreml', 'cpu']

/** The options that say how much of the environment a sheet may read. */
export function withVariables(command: Command): Command {
  return command
    .option(
      '--env <name>',
      'an environment variable that the sheet may read, beside PREGEN_*; repeatable',
      collectVariable,
    )
    .option('--env-all', 'let the sheet read the whole environment, secrets too: for sheets that you trust')
}

/** The options that say where a run writes and which of its units it means. */
export function withSelection(command: Command): Command {
  return withUnits(command)
    .option('--out <dir>', 'where the tree is written', parseText, 'out')
    .option('--shard <i/n>', 'only the i-th of n shares (also read from the batch system)')
    .option('--shard-total <n>', 'how many shares, where the batch system does not say', parsePositiveInteger)
}

/** The options that say which units of a sheet are meant. */
export function withUnits(command: Command): Command {
  return withVariables(command)
    .option('--version-id <id>', 'the version, over PREGEN_VERSION_ID and the sheet')
    .option('--cue <glob>', 'only these cues', parseText)
    .option('--variant <glob>', 'only these variants', parseText)
    .option('--program <glob>', 'only these programs', parseText)
}

export function withQueue(command: Command): Command {
  return command.option(
    '--queue <url>',
    'redis://host:6379, or rediss:// for TLS (enqueue, work, retry, serve: default PREGEN_QUEUE)',
    parseText,
  )
}

/** Without it `PREGEN_FAULTS` is not looked at: the environment alone breaks no run. */
export function testFaultsOption(): Option {
  return new Option('--test-faults').hideHelp()
}

export function withJobs(command: Command): Command {
  return command
    .option('--out <dir>', 'the --out folder of the runs', parseText, 'out')
    .option('--json', 'as JSON on stdout')
}

/** The options that say how far `storage.endpoint` may lead. */
export function withEndpoint(command: Command): Command {
  return command
    .option('--allow-local-endpoint', "let the sheet's storage.endpoint be this machine")
    .option('--allow-private-endpoint', "let the sheet's storage.endpoint lie in a private network")
}

export function providerOption(): Option {
  return new Option('--provider <name>', 'where inference runs').choices(PROVIDERS)
}

export function trustSizeOption(): Option {
  const about = "do not hash big model files: the hub's cache names their hash, others go by size"
  return new Option('--trust-size', about)
}
