/** `pregen models optimize DIR`: loads a model once, and keeps ONNX Runtime's optimized graphs in the cache. */
import { needCacheFolder } from '../../library/home.ts'
import type { RequestedProvider } from '../../model/providers.ts'
import { optimizeModelFolder } from '../../tasks/optimize-model.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine } from '../print.ts'
import { createHashProgress } from '../progress.ts'
import { formatBytes } from '../reporters/format.ts'

export async function optimizeCommand(
  dir: string,
  { provider = 'auto', variant }: { readonly provider?: RequestedProvider; readonly variant?: string },
): Promise<ExitCode> {
  const { onHash, stop } = await createHashProgress()
  const cacheDir = needCacheFolder(process.env)
  const { folder, components, unfused } = await optimizeModelFolder(dir, {
    cacheDir,
    provider,
    variant,
    env: process.env,
    onHash,
  })
  stop()
  for (const { name, sizeBytes } of components)
    printLine(process.stderr, `${name}  ${formatBytes(sizeBytes)}`)
  printLine(
    process.stderr,
    'Runs take it from there as long as model, ONNX Runtime, provider and processor stay the same.',
  )
  if (unfused !== null) {
    printLine(process.stderr, `${unfused.problem}.`)
    printLine(process.stderr, `  ${unfused.help}`)
  }
  printLine(process.stdout, folder)
  return EXIT.ok
}
