/** `retry`, `enqueue`, `work`: commands of a queue that machines share. */
import { type Command, Option } from 'commander'
import {
  collectPlace,
  parseDevices,
  parsePositiveInteger,
  parsePriority,
  parseText,
  parseWholeNumber,
} from './option-values.ts'
import {
  type Outcome,
  providerOption,
  testFaultsOption,
  trustSizeOption,
  withEndpoint,
  withQueue,
  withUnits,
  withVariables,
} from './shared-options.ts'

export function addQueueCommands(program: Command, outcome: Outcome): void {
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
    .addOption(trustSizeOption())
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
    .option(
      '--metrics-port <n>',
      'answer GET /metrics for Prometheus; 0: any port that is free',
      parseWholeNumber,
    )
    .option(
      '--metrics-host <address>',
      'on which address; another than loopback needs PREGEN_METRICS_TOKEN',
      parseText,
      '127.0.0.1',
    )
    .addOption(new Option('--lease <seconds>').argParser(parsePositiveInteger).hideHelp())
    .addOption(providerOption())
    .option('--device-id <n>', 'which device of the provider', parseWholeNumber)
    .option('--devices <ids>', 'several devices, such as 0,1: each takes the next picture', parseDevices)
    .option('--threads <n>', 'CPU threads for inference', parsePositiveInteger)
    .option('--concurrency <n>', 'uploads in flight', parsePositiveInteger)
    .addOption(trustSizeOption())
    .option('--allow-private-urls', 'let image and callback URLs point at private addresses')
    .addOption(testFaultsOption())
    .addOption(
      new Option('--format <format>', 'how the worker reports').choices(['plain', 'ndjson']).default('plain'),
    )
    .action(async (options) => {
      outcome.exitCode = await (await import('./commands/work.ts')).workCommand(options)
    })
}
