/** Processes of this machine, by their PIDs. */
import { errorCode } from './errors.ts'

/**
 * Whether a process has this PID, be it another user's. In a container, or for a file that another machine wrote, it may be
 * another one than was meant.
 */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) !== 'ESRCH'
  }
}
