/** `pregen providers install|remove|list`: ONNX Runtime's CUDA provider, kept in pregen's cache. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { installCuda } from '../../cuda/install.ts'
import { listInstalled, removeInstalled } from '../../cuda/installed.ts'
import { packageVersion } from '../../library/package.ts'
import { cacheFolder } from '../../library/render.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLine } from '../print.ts'
import { createDownloadProgress } from '../progress.ts'
import { watchSignals } from '../signals.ts'

export interface ProvidersInstallFlags {
  readonly from?: string
  readonly withLibraries?: boolean
  readonly withoutCard?: boolean
}

export async function providersInstallCommand(flags: ProvidersInstallFlags): Promise<ExitCode> {
  const say = (line: string) => printLine(process.stderr, line)
  const signals = watchSignals(say)
  const bar = await createDownloadProgress()
  try {
    const { provider, machine, missing, wheels } = await installCuda({
      cacheDir: cacheFolder(process.env),
      ...onnxruntimeNode(),
      env: process.env,
      from: flags.from,
      withLibraries: flags.withLibraries === true,
      withoutCard: flags.withoutCard === true,
      fetch,
      signal: signals.signal,
      onProgress: bar.update,
    })
    bar.stop()
    say(`CUDA ${provider.cudaMajor} provider of ONNX Runtime ${provider.version}: ${provider.folder}`)
    for (const { name, computeCapability, memoryMib } of machine?.cards ?? []) {
      say(`${name}, compute capability ${computeCapability}, ${memoryMib} MiB, driver ${machine?.driver}`)
    }
    if (missing.length > 0) {
      say(`still missing: ${missing.join(', ')}`)
      say(
        `get them with: pip install ${wheels.join(' ')}   or: pregen providers install cuda --with-libraries`,
      )
    }
    say('pregen doctor says whether it works.')
    return EXIT.ok
  } catch (error) {
    const cancelled = signals.exitCode()
    if (cancelled !== null) return cancelled
    throw error
  } finally {
    bar.stop()
    signals.close()
  }
}

export async function providersListCommand(flags: { readonly json?: boolean }): Promise<ExitCode> {
  const installed = await listInstalled(cacheFolder(process.env))
  if (flags.json === true) printJson(process.stdout, installed, 2)
  else if (installed.length === 0)
    printLine(process.stderr, 'No provider is installed. pregen providers install cuda')
  else {
    for (const { provider, version, cudaMajor, sizeBytes, folder } of installed) {
      printLine(
        process.stdout,
        `${provider} (CUDA ${cudaMajor}) for ONNX Runtime ${version}, ${Math.round(sizeBytes / 1e6)} MB, ${folder}`,
      )
    }
  }
  return EXIT.ok
}

export async function providersRemoveCommand(): Promise<ExitCode> {
  const removed = await removeInstalled(cacheFolder(process.env))
  printLine(
    process.stderr,
    removed.length === 0
      ? 'No provider was installed.'
      : `removed ${removed.map(({ folder }) => folder).join(', ')}`,
  )
  return EXIT.ok
}

/** The ONNX Runtime that this installation runs on. */
function onnxruntimeNode(): { readonly version: string; readonly runtimeFolder: string } {
  const root = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')))
  const version = packageVersion(root)
  return { version, runtimeFolder: join(root, 'bin/napi-v6', process.platform, process.arch) }
}
