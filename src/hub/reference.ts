/** `owner/name@revision`: a model on the Hugging Face hub, and where its cache keeps it. */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'

export interface HubReference {
  /** `owner/name` */
  readonly repo: string
  /** Branch, tag or commit. */
  readonly revision: string
}

const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/

/** @throws PregenError `E_HUB_REFERENCE` */
export function parseHubReference(text: string): HubReference {
  const at = text.indexOf('@')
  const repo = at < 0 ? text : text.slice(0, at)
  const revision = at < 0 ? 'main' : text.slice(at + 1)
  const parts = repo.split('/')
  const isPlain = (part: string) => PART.test(part) && !part.includes('..')
  if (parts.length === 2 && parts.every(isPlain) && REVISION.test(revision) && !revision.includes('..')) {
    return { repo, revision }
  }
  throw new PregenError('E_HUB_REFERENCE', `${JSON.stringify(text)} names no model of the hub.`, {
    help: 'Write OWNER/NAME, or OWNER/NAME@REVISION with a branch, a tag or a commit.',
  })
}

/** The folder of a model in the hub's cache: `models--owner--name`, with `blobs`, `refs` and `snapshots` in it. */
export function repoFolder(hubCache: string, repo: string): string {
  return join(hubCache, `models--${repo.replace('/', '--')}`)
}

/**
 * Where the hub's cache lies, by the variables that its own tools read.
 * @param home undefined: the user has none
 * @throws PregenError `E_NO_HOME`
 */
export function hubCacheFolder(
  env: Readonly<Record<string, string | undefined>>,
  home: string | undefined,
): string {
  const given = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE
  if (given) return given
  if (env.HF_HOME) return join(env.HF_HOME, 'hub')
  const caches = env.XDG_CACHE_HOME || (home === undefined ? undefined : join(home, '.cache'))
  if (caches !== undefined) return join(caches, 'huggingface', 'hub')
  throw new PregenError('E_NO_HOME', "This user has no home folder, where the hub's cache would lie.", {
    help: 'Set HF_HOME to a folder that you may write to.',
  })
}
