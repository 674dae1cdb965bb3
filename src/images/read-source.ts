/** Bytes of an init image, from a file or over https. */

import { errorCode, messageOf, PregenError } from '../errors.ts'
import { readRegularFile, UnreadFile } from '../files/read-regular-file.ts'
import { fetchHttps } from '../net/fetch-https.ts'
import { redactUrl } from '../net/redact-url.ts'

export interface ImageLimits {
  /** Of the file, encoded. */
  readonly maxBytes: number
  /** Width · height, read from the header before anything is decoded. */
  readonly maxPixels: number
  /** For fetching a URL, redirects included. */
  readonly timeoutMs: number
}

export const defaultImageLimits: ImageLimits = {
  maxBytes: 32 * 1024 * 1024,
  maxPixels: 50_000_000,
  timeoutMs: 30_000,
}

export interface SourceOptions {
  readonly limits: ImageLimits
  readonly allowPrivate?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** A scheme of two letters or more: `C:\stage.png` is a path. */
const urlPattern = /^[a-z][a-z0-9+.-]+:/i

/** How a source may be shown: paths as they are, URLs without query and password. */
export function showSource(source: string): string {
  return urlPattern.test(source) ? redactUrl(source) : source
}

/**
 * @param source a path, or an https URL
 * @throws PregenError `E_IMAGE_MISSING`, `E_IMAGE_NOT_A_FILE`, `E_IMAGE_UNREADABLE`, `E_IMAGE_TOO_LARGE`, and
 *   those of `fetchHttps` for URLs (`file:` among them)
 */
export async function readImageSource(source: string, options: SourceOptions): Promise<Buffer> {
  const { limits, allowPrivate, signal } = options
  if (!urlPattern.test(source)) return readImageFile(source, limits.maxBytes)
  const { maxBytes, timeoutMs } = limits
  return (await fetchHttps(source, { maxBytes, timeoutMs, allowPrivate, signal })).bytes
}

async function readImageFile(path: string, maxBytes: number): Promise<Buffer> {
  try {
    return await readRegularFile(path, { maxBytes })
  } catch (cause) {
    if (cause instanceof UnreadFile) throw unread(path, maxBytes, cause)
    const code = errorCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new PregenError('E_IMAGE_MISSING', `There is no file "${path}".`, {
        help: 'Paths are relative to the sheet.',
        cause,
      })
    }
    throw new PregenError('E_IMAGE_UNREADABLE', `"${path}" cannot be read: ${messageOf(cause)}`, {
      help: 'Check the permissions.',
      cause,
    })
  }
}

function unread(path: string, maxBytes: number, cause: UnreadFile): PregenError {
  if (cause.reason === 'too-large') {
    return new PregenError(
      'E_IMAGE_TOO_LARGE',
      `"${path}" has more than the ${maxBytes} bytes that are allowed.`,
      {
        help: 'Save the image smaller, or in another format.',
        cause,
      },
    )
  }
  return new PregenError(
    'E_IMAGE_NOT_A_FILE',
    `"${path}" is ${cause.reason === 'folder' ? 'a folder' : 'not a file'}.`,
    { help: 'Give the path of a picture, relative to the sheet.', cause },
  )
}
