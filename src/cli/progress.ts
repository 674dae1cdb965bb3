/** How far downloads are: a bar on a terminal, a line every tenth elsewhere. On stderr. */
import { basename } from 'node:path'
import { printable } from '../printable.ts'
import { printLine } from './print.ts'

export interface DownloadProgress {
  readonly update: (file: string, bytes: number, total: number | undefined) => void
  readonly stop: () => void
}

export async function createDownloadProgress(
  stream: NodeJS.WriteStream = process.stderr,
): Promise<DownloadProgress> {
  if (!stream.isTTY) {
    let last = ''
    return {
      update(file, bytes, total) {
        const tenth = total === undefined ? 0 : Math.floor((10 * bytes) / Math.max(total, 1))
        const line = `${file}: ${tenth * 10} %`
        if (line !== last) printLine(stream, line)
        last = line
      },
      stop: () => undefined,
    }
  }
  const { SingleBar } = (await import('cli-progress')).default
  const bar = new SingleBar({ format: '{file} {bar} {percentage} % of {mb} MB', hideCursor: true, stream })
  let current = ''
  return {
    update(file, bytes, total) {
      const payload = { file: printable(file), mb: Math.round((total ?? bytes) / 1e6) }
      if (file !== current) bar.start(total ?? bytes, bytes, payload)
      else bar.update(bytes, payload)
      current = file
    },
    stop: () => bar.stop(),
  }
}

/** How far the hashes of big model files are. */
export async function createHashProgress(): Promise<{
  readonly onHash: (path: string, bytes: number, total: number) => void
  readonly stop: () => void
}> {
  const { update, stop } = await createDownloadProgress()
  return {
    onHash(path, bytes, total) {
      update(`hashing ${basename(path)}`, bytes, total)
      if (bytes === total) stop()
    },
    stop,
  }
}
