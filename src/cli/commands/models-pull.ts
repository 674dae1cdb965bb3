/** `pregen models pull OWNER/NAME[@REV]`: a model of the Hugging Face hub, into the hub's cache. */
import { pullModel } from '../../hub/pull.ts'
import { hubCacheFolder, parseHubReference } from '../../hub/reference.ts'
import { homeFolder } from '../../library/home.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine } from '../print.ts'
import { createDownloadProgress } from '../progress.ts'
import { formatBytes } from '../reporters/format.ts'
import { watchSignals } from '../signals.ts'

export async function pullCommand(name: string, flags: { readonly variant?: string }): Promise<ExitCode> {
  const reference = parseHubReference(name)
  const say = (line: string) => printLine(process.stderr, line)
  const signals = watchSignals(say)
  const progress = await createDownloadProgress()
  const { HF_ENDPOINT, HF_TOKEN } = process.env
  try {
    const { folder, files, sizeBytes } = await pullModel({
      reference,
      variant: flags.variant,
      hubCache: hubCacheFolder(process.env, homeFolder(process.env)),
      endpoint: HF_ENDPOINT || undefined,
      token: HF_TOKEN || undefined,
      signal: signals.signal,
      onSelected(selected) {
        const total = selected.reduce((sum, file) => sum + file.sizeBytes, 0)
        say(`${reference.repo}: ${selected.length} files, ${formatBytes(total)}`)
      },
      onProgress: progress.update,
    })
    progress.stop()
    say(`${files} files, ${formatBytes(sizeBytes)}, all as the hub's digests say`)
    printLine(process.stdout, folder)
    return EXIT.ok
  } catch (error) {
    const cancelled = signals.exitCode()
    if (cancelled !== null) return cancelled
    throw error
  } finally {
    progress.stop()
    signals.close()
  }
}
