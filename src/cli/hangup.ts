/**
 * Whether SIGHUP was ignored when this process was started, by nohup say. Node takes back what it was started with before
 * any JavaScript runs, so that it can only be told from what else is there.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** The lowest bit of a mask of signals is SIGHUP's. */
const HANGUP_BIT = /^SigIgn:\s*[0-9a-f]*[13579bdf]$/m
/** O_WRONLY: nobody but nohup gives a process an input that it can only write to. */
const WRITE_ONLY = /^flags:\s*[0-7]*1$/m

export function ignoresHangup(env = process.env, readProc: (path: string) => string = readFile): boolean {
  // Shells leave the path of the command that they start.
  if (basename(env._ ?? '') === 'nohup') return true
  if (WRITE_ONLY.test(readProc('/proc/self/fdinfo/0'))) return true
  // Ignored in the shell that started it (trap '' HUP, nohup sh script), and inherited from there.
  return HANGUP_BIT.test(readProc(`/proc/${process.ppid}/status`))
}

/** Empty where there is no such file: on systems other than Linux, or for a parent that is gone. */
function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Nothing is known then, and SIGHUP ends the command as it usually does.
    return ''
  }
}
