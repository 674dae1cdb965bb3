/**
 * `pregen models pull`: the files that a model needs, from the Hugging Face hub into the hub's own cache layout, so that
 * nothing is stored twice and other tools find them too.
 */
import { mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { listFiles, modelInfo } from '@huggingface/hub'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { downloadFile, type Fetch, failedFetchCause } from '../net/download.ts'
import { proxiedFetch } from '../net/proxied-fetch.ts'
import { redactUrl } from '../net/redact-url.ts'
import { trimEndOf } from '../trim.ts'
import { type HubReference, repoFolder } from './reference.ts'
import { findModelRoot, type HubFile, selectFiles } from './select-files.ts'

const DEFAULT_ENDPOINT = 'https://huggingface.co'

export interface PullOptions {
  readonly reference: HubReference
  readonly variant?: string | undefined
  /** The hub's cache: `~/.cache/huggingface/hub` unless told otherwise. */
  readonly hubCache: string
  /** `HF_ENDPOINT`, a mirror. */
  readonly endpoint?: string | undefined
  /** `HF_TOKEN`, for models behind a licence. */
  readonly token?: string | undefined
  /** Default: through the proxy that the environment names. */
  readonly fetch?: Fetch | undefined
  readonly signal?: AbortSignal | undefined
  /** Told once, before anything is fetched. */
  readonly onSelected?: ((files: readonly HubFile[]) => void) | undefined
  /** Of one file: bytes so far. */
  readonly onProgress?: ((path: string, bytes: number, total: number) => void) | undefined
}

export interface PulledModel {
  /** The model folder, for a sheet's `path`. */
  readonly folder: string
  readonly commit: string
  readonly files: number
  readonly sizeBytes: number
}

/** @throws PregenError `E_HUB_…`, `E_DOWNLOAD_…`, `E_DISK_FULL` */
export async function pullModel(options: PullOptions): Promise<PulledModel> {
  const { reference, variant, hubCache, onSelected, signal } = options
  const { repo, revision } = reference
  const commit = await commitOf(options)
  const files = await listRepo(options, commit)
  const root = findModelRoot(files)
  if (root === null) {
    throw new PregenError(
      'E_HUB_NO_ONNX',
      `${repo} has no model_index.json: it holds no pipeline of diffusers.`,
      {
        help: 'Look for a repository of a whole pipeline in ONNX.',
      },
    )
  }
  const selected = selectFiles(files, { repo, root, variant })
  onSelected?.(selected)
  const folder = repoFolder(hubCache, repo)
  const snapshot = join(folder, 'snapshots', commit)
  for (const file of selected) {
    signal?.throwIfAborted()
    await pullFile(file, { folder, snapshot, commit }, options)
  }
  if (revision !== commit) await writeRef(join(folder, 'refs', ...revision.split('/')), commit)
  const sizeBytes = selected.reduce((sum, file) => sum + file.sizeBytes, 0)
  return {
    folder: root === '' ? snapshot : join(snapshot, ...root.split('/')),
    commit,
    files: selected.length,
    sizeBytes,
  }
}

async function commitOf(options: PullOptions): Promise<string> {
  const { repo, revision } = options.reference
  const info = await askHub(options, () =>
    modelInfo({ name: repo, revision, additionalFields: ['sha'], ...callOf(options) }),
  )
  if (typeof info.sha === 'string' && /^[0-9a-f]{40}$/.test(info.sha)) return info.sha
  throw new PregenError('E_HUB_ANSWER', `The hub names no commit for ${repo}@${revision}.`, {
    help: HELP_ENDPOINT,
  })
}

async function listRepo(options: PullOptions, commit: string): Promise<readonly HubFile[]> {
  const { repo } = options.reference
  return await askHub(options, async () => {
    const files: HubFile[] = []
    for await (const { type, path, size, lfs, oid } of listFiles({
      repo,
      revision: commit,
      recursive: true,
      ...callOf(options),
    })) {
      if (type !== 'file' || !isPlainPath(path)) continue
      const digest = lfs
        ? { kind: 'sha256' as const, hex: lfs.oid }
        : { kind: 'git-blob' as const, hex: oid ?? '' }
      // Names in the cache, and what the bytes are held against.
      if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(digest.hex)) continue
      files.push({ path, sizeBytes: lfs?.size ?? size, digest })
      if (files.length > MAX_FILES) throw new Error(`it lists more than ${MAX_FILES} files`)
    }
    return files
  })
}

const MAX_FILES = 50_000
const HELP_ENDPOINT = 'Check the connection, HF_ENDPOINT and HTTPS_PROXY.'

/** No path of a repository may lead out of its snapshot. */
function isPlainPath(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\\0]/.test(part))
}

function callOf({ endpoint = DEFAULT_ENDPOINT, token, fetch = proxiedFetch, signal }: PullOptions) {
  const call = (url: string | URL | Request, init?: RequestInit) => {
    const headers = new Headers(init?.headers)
    // The hub's own library takes tokens of one form alone; a mirror may have others.
    if (token) headers.set('authorization', `Bearer ${token}`)
    const address = url instanceof Request ? url.url : String(url)
    return fetch(address, { ...init, headers, ...(signal ? { signal } : {}) })
  }
  return { hubUrl: trimEndOf(endpoint, '/'), fetch: call }
}

async function askHub<T>(options: PullOptions, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    options.signal?.throwIfAborted()
    throw hubFault(error, options)
  }
}

function hubFault(
  error: unknown,
  { reference: { repo, revision }, endpoint = DEFAULT_ENDPOINT, token }: PullOptions,
): PregenError {
  const status =
    typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : null
  const place = redactUrl(endpoint)
  if (status === 401 || status === 403) {
    const why = token ? 'the token may not read it' : 'it needs a token'
    return new PregenError('E_HUB_DENIED', `${repo} cannot be read from ${place}: ${why}.`, {
      help: 'Accept its licence on its page, and set HF_TOKEN to a token that may read it. A name with a slip is answered like this, too.',
      cause: error,
    })
  }
  if (status === 404) {
    return new PregenError('E_HUB_MISSING', `${place} has no ${repo}@${revision}.`, {
      help: 'Check owner, name and revision.',
      cause: error,
    })
  }
  const why = status === null ? failedFetchCause(error) : `it answers ${status}`
  return new PregenError('E_HUB_ANSWER', `${place} cannot be asked for ${repo}: ${why}.`, {
    help: HELP_ENDPOINT,
    cause: error,
  })
}

interface CachePlace {
  readonly folder: string
  readonly snapshot: string
  readonly commit: string
}

/** Into `blobs/<digest>`, with a relative link from the snapshot, as the hub's own tools lay it. */
async function pullFile(
  { path, sizeBytes, digest }: HubFile,
  { folder, snapshot, commit }: CachePlace,
  { reference, endpoint = DEFAULT_ENDPOINT, token, fetch = proxiedFetch, signal, onProgress }: PullOptions,
): Promise<void> {
  const blob = join(folder, 'blobs', digest.hex)
  if ((await sizeOf(blob)) !== sizeBytes) {
    const address = path.split('/').map(encodeURIComponent).join('/')
    const url = `${trimEndOf(endpoint, '/')}/${reference.repo}/resolve/${commit}/${address}`
    const headers = token ? { authorization: `Bearer ${token}` } : undefined
    await downloadFile({ filename: path, url, digest, sizeBytes }, blob, {
      fetch,
      headers,
      signal,
      onProgress: (bytes) => onProgress?.(path, bytes, sizeBytes),
    })
  }
  const link = join(snapshot, ...path.split('/'))
  await mkdir(dirname(link), { recursive: true })
  const fresh = `${link}.${process.pid}.tmp`
  await rm(fresh, { force: true })
  await symlink(relative(dirname(link), blob), fresh)
  await rename(fresh, link)
}

async function writeRef(path: string, commit: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    const fresh = `${path}.${process.pid}.tmp`
    await writeFile(fresh, commit)
    await rename(fresh, path)
  } catch (error) {
    throw new PregenError('E_WRITE_FAILED', `cannot write ${path}: ${messageOf(error)}`, {
      help: 'Check that you may write there; HF_HOME moves the cache.',
      cause: error,
    })
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}
