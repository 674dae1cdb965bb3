/** What is taken out of wheels: the two provider libraries of onnxruntime-gpu, and the shared libraries of nvidia-*. */
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import yauzl, { type Entry, type ZipFile } from 'yauzl'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { PROVIDER_LIBRARIES } from './releases.ts'

export interface ProviderWheel {
  /** Of onnxruntime-gpu. */
  readonly version: string
  readonly cudaMajor: number
  /** The commit of ONNX Runtime it was built from, as its library tells it; null where it does not. */
  readonly commit: string | null
}

/** No shared library of CUDA comes near it. */
const MAX_LIBRARY_BYTES = 4 * 1024 ** 3
const BUILD_INFO = 'onnxruntime/capi/build_and_package_info.py'

/**
 * Unpacks the provider libraries of a wheel of onnxruntime-gpu into a folder.
 * @throws PregenError `E_WHEEL_INVALID`, `E_DISK_FULL`
 */
export async function extractProvider(wheel: string, folder: string): Promise<ProviderWheel> {
  let info = ''
  let commit: string | null = null
  const missing = new Set(PROVIDER_LIBRARIES)
  await forEachEntry(wheel, async (entry, read) => {
    const name = basename(entry.fileName)
    if (entry.fileName === BUILD_INFO && entry.uncompressedSize < 65_536) info = await textOf(await read())
    else if (entry.fileName === `onnxruntime/capi/${name}` && missing.delete(name)) {
      await writeTo(join(folder, name), await read(), wheel)
    } else if (/^onnxruntime\/capi\/libonnxruntime\.so\.[\d.]+$/.test(entry.fileName)) {
      commit = await commitIn(await read())
    }
  })
  const version = /__version__ = '([\d.]+)'/.exec(info)?.[1]
  const cudaMajor = Number(/cuda_version = '(\d+)/.exec(info)?.[1] ?? Number.NaN)
  if (version === undefined || Number.isNaN(cudaMajor) || missing.size > 0) {
    const lack = missing.size > 0 ? [...missing].join(' and ') : 'its version'
    throw invalid(wheel, `it is no wheel of onnxruntime-gpu for Linux (${lack} is missing)`)
  }
  return { version, cudaMajor, commit }
}

/**
 * Unpacks the shared libraries of one of NVIDIA's wheels (`nvidia/<part>/lib/*.so*`) into a folder.
 * @returns their names
 * @throws PregenError `E_WHEEL_INVALID`, `E_DISK_FULL`
 */
export async function extractLibraries(wheel: string, folder: string): Promise<readonly string[]> {
  const names: string[] = []
  await forEachEntry(wheel, async (entry, read) => {
    if (!/^nvidia\/[\w.-]+\/lib\/[\w.+-]+\.so[.\d]*$/.test(entry.fileName)) return
    names.push(basename(entry.fileName))
    await writeTo(join(folder, basename(entry.fileName)), await read(), wheel)
  })
  if (names.length === 0) throw invalid(wheel, 'it holds no shared library of NVIDIA')
  return names
}

/** The commit in the build information that ONNX Runtime's library carries as text, or null. */
export async function commitIn(stream: Readable): Promise<string | null> {
  let tail = ''
  let found: string | null = null
  // Read to its end even when it is found: a stream of an archive that is left half read keeps the archive open.
  for await (const chunk of stream) {
    if (found !== null) continue
    const text = tail + Buffer.from(chunk).toString('latin1')
    found = /git-commit-id=([0-9a-f]{7,40}),/.exec(text)?.[1] ?? null
    tail = text.slice(-64)
  }
  return found
}

async function forEachEntry(
  wheel: string,
  visit: (entry: Entry, read: () => Promise<Readable>) => Promise<void>,
): Promise<void> {
  let zip: ZipFile
  try {
    zip = await promisify<string, yauzl.Options, ZipFile>(yauzl.open)(wheel, {
      lazyEntries: true,
      autoClose: true,
    })
  } catch (error) {
    throw invalid(wheel, messageOf(error), error)
  }
  const open = promisify(zip.openReadStream.bind(zip)) as (entry: Entry) => Promise<Readable>
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown) => {
      zip.close()
      reject(error instanceof PregenError ? error : invalid(wheel, messageOf(error), error))
    }
    zip.on('error', fail)
    zip.on('end', resolve)
    zip.on('entry', (entry: Entry) => {
      if (entry.uncompressedSize > MAX_LIBRARY_BYTES) return fail(new Error(`${entry.fileName} is too large`))
      visit(entry, () => open(entry)).then(() => zip.readEntry(), fail)
    })
    zip.readEntry()
  })
}

async function writeTo(path: string, stream: Readable, wheel: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  try {
    await pipeline(stream, createWriteStream(path, { mode: 0o755 }))
  } catch (error) {
    if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errorCode(error) ?? '')) {
      throw new PregenError('E_DISK_FULL', `No space is left for ${path}.`, {
        help: 'Free some, or point XDG_CACHE_HOME at a larger disk.',
        cause: error,
      })
    }
    throw invalid(wheel, messageOf(error), error)
  }
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

function invalid(wheel: string, why: string, cause?: unknown): PregenError {
  return new PregenError('E_WHEEL_INVALID', `${wheel} cannot be used: ${why}.`, {
    location: { file: wheel },
    help: 'Fetch it again, or name another with --from.',
    cause,
  })
}
