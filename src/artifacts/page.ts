/** The page as static files beside the pictures of a version: gallery, grid and replay without a server. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { MANIFEST_BYTES, readFileInside } from './confined-files.ts'
import { makeFolder } from './confined-folder.ts'
import { type Confinement, confine } from './confinement.ts'
import { writeFileDurably } from './durable-write.ts'
import { PAGE_NAMES, PAGE_ROOT } from './file-names.ts'
import type { WriteHook } from './write-points.ts'

/** One file of the published page. */
export interface PublishedPageFile {
  readonly name: (typeof PAGE_NAMES)[number]
  readonly bytes: Uint8Array
}

/**
 * The files to put beside a `manifest.json`, in the order in which they are written and sent; the same for every version.
 * @param pageFolder the built page, `dist/watch/page` of the package
 */
export async function readPage(pageFolder: string): Promise<readonly PublishedPageFile[]> {
  return Promise.all(
    PAGE_NAMES.map(async (name) => {
      const bytes = await readFile(join(pageFolder, name))
      return { name, bytes: name === PAGE_ROOT ? asStatic(bytes) : bytes }
    }),
  )
}

const SERVED = 'data-home="served"'

/** Tells the page that there is no server to ask. */
function asStatic(html: Buffer): Uint8Array {
  const text = html.toString('utf8')
  if (!text.includes(SERVED)) throw new Error(`the built page does not say ${SERVED}`)
  return Buffer.from(text.replace(SERVED, 'data-home="static"'))
}

/**
 * Writes the page into a version's folder, each file whole or not at all, index.html last. Files that hold the same
 * bytes already are left alone.
 * @param out the output folder, which nothing leaves
 * @param versionFolder made where there is none
 * @returns the path of index.html
 * @throws PregenError `E_OUTPUT_SYMLINK` | `E_DISK_FULL` | `E_WRITE_FAILED`
 */
export async function writePage(
  out: string,
  versionFolder: string,
  files: readonly PublishedPageFile[],
  onPoint?: WriteHook,
): Promise<string> {
  const inside = confine(out)
  makeFolder(inside, versionFolder)
  for (const { name, bytes } of files) {
    const path = join(versionFolder, name)
    if (!(await holds(inside, path, bytes))) await writeFileDurably(path, bytes, { inside, onPoint })
  }
  return join(versionFolder, PAGE_ROOT)
}

/** Whether a file stands there with these bytes; what is no file of ours, a link say, is replaced. */
export async function holds(inside: Confinement, path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    return Buffer.compare((await readFileInside(inside, path, MANIFEST_BYTES)).bytes, bytes) === 0
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof PregenError) return false
    throw error
  }
}
