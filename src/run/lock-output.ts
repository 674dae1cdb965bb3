/** The lock of an output folder, with a word for folders that cannot be used. */
import { dirname } from 'node:path'
import { acquireLock, refuseIfLocked, runningHolder } from '../artifacts/lock.ts'
import { errorCode, messageOf, PregenError } from '../errors.ts'

/** As `acquireLock`. @throws PregenError `E_LOCKED`, `E_OUTPUT_FOLDER` */
export function lockOutput(...args: Parameters<typeof acquireLock>): ReturnType<typeof acquireLock> {
  return explained(args[0], acquireLock(...args))
}

/** As `refuseIfLocked`. @throws PregenError `E_LOCKED`, `E_OUTPUT_FOLDER` */
export function refuseLockedOutput(
  ...args: Parameters<typeof refuseIfLocked>
): ReturnType<typeof refuseIfLocked> {
  return explained(args[0], refuseIfLocked(...args))
}

/** As `runningHolder`. @throws PregenError `E_OUTPUT_FOLDER` */
export function findRunAtWork(...args: Parameters<typeof runningHolder>): ReturnType<typeof runningHolder> {
  return explained(args[0], runningHolder(...args))
}

async function explained<T>(lockPath: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof PregenError || errorCode(error) === undefined) throw error
    const folder = dirname(dirname(lockPath))
    throw new PregenError('E_OUTPUT_FOLDER', `cannot work in ${folder}: ${messageOf(error)}`, {
      help: 'Choose another folder with --out, or change its permissions.',
      cause: error,
    })
  }
}

/** The end of a run whose folder is gone. */
export function outputRemoved(out: string): PregenError {
  return new PregenError(
    'E_OUTPUT_REMOVED',
    `the output folder ${out} was removed while the run was at work, and what it had drawn with it`,
    {
      help: 'Run the same command again: what is whole in the bucket is kept, the rest is drawn anew.',
      exitCode: 3,
    },
  )
}

/** The end of a run whose folder another has. */
export function lockLost(out: string): PregenError {
  return new PregenError('E_LOCK_LOST', `another process has taken over the output folder ${out}`, {
    help: 'Let it finish, or stop it and run again: what is whole is kept.',
    exitCode: 3,
  })
}
