/** `ffmpeg` on the PATH: whether there is one, and what it encodes. */
import { spawn } from 'node:child_process'
import { dirname } from 'node:path'

export const FFMPEG = 'ffmpeg'

/** Where it is started: Windows would look for programs in the working folder first, which anyone may have filled. */
export const PROGRAM_FOLDER = dirname(process.execPath)

const PROBE_MS = 10_000

let probing: Promise<ReadonlySet<string>> | undefined

/** Names of its video encoders; empty where there is no such program. Asked once a process. */
export function ffmpegEncoders(): Promise<ReadonlySet<string>> {
  probing ??= probe()
  return probing
}

function probe(): Promise<ReadonlySet<string>> {
  return new Promise((resolve) => {
    const child = spawn(FFMPEG, ['-hide_banner', '-nostdin', '-encoders'], {
      cwd: PROGRAM_FOLDER,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: PROBE_MS,
      windowsHide: true,
    })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    child.on('error', () => resolve(new Set()))
    child.on('close', () => resolve(new Set(encodersOf(text))))
  })
}

/** ` V....D libx264   …` → `libx264`. */
function encodersOf(text: string): string[] {
  return text.split('\n').flatMap((line) => /^ V[A-Z.]{5} (\S+)/.exec(line)?.[1] ?? [])
}
