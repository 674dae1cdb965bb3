/** Where a model of the hub lies on this machine: what a sheet's `hub: owner/name@rev` stands for. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { type HubReference, repoFolder } from './reference.ts'

/**
 * Nothing is fetched.
 * @returns the model folder in the cache's snapshot
 * @throws PregenError `E_HUB_NOT_PULLED`
 */
export function findPulled({ repo, revision }: HubReference, hubCache: string): string {
  const folder = repoFolder(hubCache, repo)
  const commit = /^[0-9a-f]{40}$/.test(revision)
    ? revision
    : readRef(join(folder, 'refs', ...revision.split('/')))
  const snapshot = commit === null ? null : join(folder, 'snapshots', commit)
  const root = snapshot === null ? null : modelRoot(snapshot)
  if (root !== null) return root
  const name = revision === 'main' ? repo : `${repo}@${revision}`
  throw new PregenError('E_HUB_NOT_PULLED', `${name} is not on this machine.`, {
    help: `Run: pregen models pull ${name}`,
  })
}

function readRef(path: string): string | null {
  try {
    const commit = readFileSync(path, 'utf8').trim()
    return /^[0-9a-f]{40}$/.test(commit) ? commit : null
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return null
    throw error
  }
}

/** The snapshot itself, or the one folder in it that holds model_index.json, as `pull` chose it. */
function modelRoot(snapshot: string): string | null {
  if (existsSync(join(snapshot, 'model_index.json'))) return snapshot
  if (!existsSync(snapshot)) return null
  const inner = readdirSync(snapshot)
    .sort()
    .find((name) => existsSync(join(snapshot, name, 'model_index.json')))
  return inner === undefined ? null : join(snapshot, inner)
}
