/** Python's package index (PEP 503 / PEP 691, JSON): which wheel of a release there is, where, and with which sha-256. */

import { PregenError } from '../errors.ts'
import { type Fetch, failedFetchCause, type RemoteFile } from '../net/download.ts'
import { redactUrl } from '../net/redact-url.ts'
import { trimEndOf } from '../trim.ts'
import { z } from '../zod.ts'

export const DEFAULT_INDEX_URL = 'https://pypi.org/simple'
const MAX_INDEX_BYTES = 64 * 1024 * 1024

const indexSchema = z.object({
  files: z.array(
    z.object({
      filename: z.string(),
      url: z.string(),
      hashes: z.record(z.string(), z.string()),
      size: z.number().optional(),
      yanked: z.union([z.boolean(), z.string()]).optional(),
    }),
  ),
})

/**
 * The wheel of a release for Linux x64; without a version, of the newest release.
 * @param indexUrl the index's root, such as `https://pypi.org/simple`
 * @throws PregenError `E_INDEX_UNREACHABLE`, `E_WHEEL_NOT_FOUND`
 */
export async function findWheel(
  { indexUrl, name, version }: { indexUrl: string; name: string; version?: string | undefined },
  fetch: Fetch,
  signal?: AbortSignal,
): Promise<RemoteFile> {
  const page = `${trimEndOf(indexUrl, '/')}/${name}/`
  const { files } = await readIndex(page, fetch, signal)
  const stem = `${name.replaceAll('-', '_')}-`
  const wheels = files.filter(
    ({ filename, yanked = false, hashes }) =>
      yanked === false &&
      filename.startsWith(stem) &&
      filename.includes('linux') &&
      filename.endsWith('x86_64.whl') &&
      /^[0-9a-f]{64}$/.test(hashes.sha256 ?? ''),
  )
  const versionOf = (filename: string) => filename.slice(stem.length).split('-', 1)[0]!
  const wanted =
    version ??
    wheels
      .map(({ filename }) => versionOf(filename))
      .sort(compareReleases)
      .at(-1)
  // One release has a wheel for each Python; what is taken from it is the same in all of them.
  const [file] = wheels
    .filter(({ filename }) => versionOf(filename) === wanted)
    .sort((a, b) => (a.filename < b.filename ? 1 : -1))
  if (file === undefined) {
    throw new PregenError(
      'E_WHEEL_NOT_FOUND',
      `${redactUrl(page)} has no wheel of ${name}${version ? ` ${version}` : ''} for Linux x64.`,
      { help: 'Name another index with PIP_INDEX_URL, or a folder of wheels with --from.' },
    )
  }
  const { filename, hashes, size } = file
  return {
    filename,
    url: new URL(file.url, page).href,
    digest: { kind: 'sha256', hex: hashes.sha256! },
    sizeBytes: size,
  }
}

async function readIndex(
  page: string,
  fetch: Fetch,
  signal?: AbortSignal,
): Promise<z.infer<typeof indexSchema>> {
  const unreachable = (why: string, cause?: unknown) =>
    new PregenError('E_INDEX_UNREACHABLE', `The package index ${redactUrl(page)} cannot be read: ${why}.`, {
      help: 'Check the connection, PIP_INDEX_URL and HTTPS_PROXY; or name a folder of wheels with --from.',
      cause,
    })
  let text: string
  try {
    const headers = { accept: 'application/vnd.pypi.simple.v1+json' }
    const response = await fetch(page, { headers, ...(signal ? { signal } : {}) })
    if (!response.ok) throw unreachable(`it answers ${response.status}`)
    if (Number(response.headers.get('content-length') ?? 0) > MAX_INDEX_BYTES)
      throw unreachable('its page is too large')
    text = await response.text()
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof PregenError) throw error
    throw unreachable(failedFetchCause(error), error)
  }
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    throw unreachable('it does not speak JSON (PEP 691)', error)
  }
  const parsed = indexSchema.safeParse(data)
  if (!parsed.success) throw unreachable('its page is not of the form of PEP 691')
  return parsed.data
}

function compareReleases(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true })
}
