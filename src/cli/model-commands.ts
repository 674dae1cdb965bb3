/** `models …` and `providers …`. */
import { Argument, type Command } from 'commander'
import { parseGuidanceScale, parsePositiveInteger, parseText, parseTwoOrMore } from './option-values.ts'
import { type Outcome, providerOption, VARIANT_HELP } from './shared-options.ts'

export function addModelCommands(program: Command, outcome: Outcome): void {
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
}
