/** Folders of the user's own. A container's bare uid has none: then nothing is kept there, and what needs one says so. */
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'

type Env = Readonly<Record<string, string | undefined>>

/** undefined: no HOME, and no entry of this user in the system's list either. */
export function homeFolder({ HOME }: Env): string | undefined {
  if (HOME !== undefined && isAbsolute(HOME)) return HOME
  try {
    const home = homedir()
    return isAbsolute(home) ? home : undefined
  } catch (error) {
    // ENOENT: nobody of this number is known here.
    if (errorCode(error) === undefined) throw error
    return undefined
  }
}

/**
 * Libraries that ask the system for a home throw where there is none, whether they need one or not (AWS's, for its
 * profiles). They look at this variable first, which means nothing else outside of Windows.
 */
export function standInForHome(env: NodeJS.ProcessEnv = process.env): void {
  if (homeFolder(env) === undefined) env.USERPROFILE ||= '/nonexistent'
}

/** `~/.cache/pregen`, or where the XDG base directories put it; undefined: there is no place for it. */
export function cacheFolder(env: Env): string | undefined {
  return folderIn(env, env.XDG_CACHE_HOME, '.cache')
}

/** As `cacheFolder`, for what cannot do without. @throws PregenError `E_NO_HOME` */
export function needCacheFolder(env: Env): string {
  const folder = cacheFolder(env)
  if (folder !== undefined) return folder
  throw new PregenError('E_NO_HOME', "This user has no home folder, where pregen's cache would lie.", {
    help: 'Set XDG_CACHE_HOME to a folder that you may write to.',
  })
}

/** `~/.local/state/pregen`, or where the XDG base directories put it; undefined: there is no place for it. */
export function stateFolder(env: Env): string | undefined {
  return folderIn(env, env.XDG_STATE_HOME, '.local/state')
}

function folderIn(env: Env, base: string | undefined, usual: string): string | undefined {
  if (base !== undefined && isAbsolute(base)) return join(base, 'pregen')
  const home = homeFolder(env)
  return home === undefined ? undefined : join(home, usual, 'pregen')
}
