/** `serve`, `jobs`, `status`, `cancel`: commands of runs at work. */
import { type Command, Option } from 'commander'
import { collectText, parsePositiveInteger, parseText, parseWholeNumber } from './option-values.ts'
import { type Outcome, withJobs, withQueue } from './shared-options.ts'

export function addWatchingCommands(program: Command, outcome: Outcome): void {
  withQueue(program.command('serve'))
    .argument('[dir]', 'the --out folder of runs', parseText, 'out')
    .description('live page, gallery, replay, jobs, and with --queue its sheets and machines over HTTP')
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
}
