/** One install at a time in a cache: two would write one half-fetched wheel, and remove it under each other. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { isRunning } from '../running-process.ts'

/** On another machine nobody can be asked whether he lives. */
const FOREIGN_MS = 60 * 60 * 1000

/** @throws PregenError `E_PROVIDER_BUSY` */
export async function whileLocked<T>(cacheDir: string, work: () => Promise<T>): Promise<T> {
  await mkdir(cacheDir, { recursive: true })
  const path = join(cacheDir, 'providers.lock')
  await take(path)
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<void> {
  const own = `${process.pid} ${hostname()}\n`
  for (let tries = 0; tries < 2; tries++) {
    try {
      return await writeFile(path, own, { flag: 'wx' })
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    if (tries > 0 || !(await isAbandoned(path))) break
    await rm(path, { force: true })
  }
  throw new PregenError('E_PROVIDER_BUSY', 'Another pregen providers install is at work in this cache.', {
    help: `Wait for it. If there is none, remove ${path}.`,
  })
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    const [pid = '', host = ''] = (await readFile(path, 'utf8')).trim().split(' ')
    if (host !== hostname()) return Date.now() - (await stat(path)).mtimeMs > FOREIGN_MS
    return !isRunning(Number(pid))
  } catch (error) {
    // The lock is gone by now.
    return errorCode(error) === 'ENOENT'
  }
}
