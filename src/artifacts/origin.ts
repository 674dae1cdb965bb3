/**
 * What this very user wrote on this machine, told from what came with a folder from elsewhere: a mark made with a key
 * that lies in the user's own state folder, never in the output folder. A mark only vouches; what has none is
 * believed less, not refused.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'

export interface Origin {
  /** 32 hexadecimal characters that only who has the key can make. */
  mark(text: string): string
  isOwn(text: string, mark: string | undefined): boolean
}

const KEY_FILE = 'origin-key'
const KEY = /^[0-9a-f]{64}\n?$/

/**
 * @param stateDir `~/.local/state/pregen`; undefined, or one that cannot be used: marks of this process hold in this
 *   process alone
 */
export function openOrigin(stateDir: string | undefined): Origin {
  let key: string | undefined
  const keyOf = () => {
    key ??= (stateDir === undefined ? null : keyIn(stateDir)) ?? randomBytes(32).toString('hex')
    return key
  }
  const mark = (text: string) => createHmac('sha256', keyOf()).update(text).digest('hex').slice(0, 32)
  return {
    mark,
    isOwn: (text, given) =>
      given !== undefined && given.length === 32 && timingSafeEqual(Buffer.from(mark(text)), bytesOf(given)),
  }
}

/** As many bytes as a mark has, whatever characters were given. */
function bytesOf(mark: string): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.write(mark, 'latin1')
  return bytes
}

/** null: the folder cannot be used (a container without a home, a disk that is full). */
function keyIn(folder: string): string | null {
  const path = join(folder, KEY_FILE)
  try {
    return readKey(path) ?? makeKey(folder, path)
  } catch {
    // Nothing is vouched for then, which costs a later upload some hashing and the name of its sheet.
    return null
  }
}

function makeKey(folder: string, path: string): string | null {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const own = `${path}.${randomBytes(6).toString('hex')}.tmp`
  writeFileSync(own, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  try {
    // Of two runs that make one at the same moment, one wins; both then read the same.
    linkSync(own, path)
  } catch (error) {
    // Some drives know no hard links; and a damaged key is replaced.
    if (errorCode(error) !== 'EEXIST' || readKey(path) === null) renameSync(own, path)
  } finally {
    rmSync(own, { force: true })
  }
  return readKey(path)
}

function readKey(path: string): string | null {
  try {
    const text = readFileSync(path, 'utf8')
    return KEY.test(text) ? text.trim() : null
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}
