/** `upload`, `verify`, `gallery`, `film`, `doctor`: commands of a finished tree and of this machine. */
import { type Command, Option } from 'commander'
import { FILM_FORMATS } from '../films/film-options.ts'
import {
  parseFade,
  parseFps,
  parseHold,
  parsePaceOption,
  parsePositiveInteger,
  parseText,
} from './option-values.ts'
import { REPORT_FORMATS } from './reporters/reporter.ts'
import {
  type Outcome,
  providerOption,
  testFaultsOption,
  withEndpoint,
  withVariables,
} from './shared-options.ts'

export function addTreeCommands(program: Command, outcome: Outcome): void {
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
}
